//! The server that README measures: on tonic, with reflection, and without a
//! profiler of its own.
//!
//! `shop [-listen ADDR] [-audits N]` prints "listening on HOST:PORT".  Each
//! Place prices the order and writes N audit records.  It ends by SIGTERM or
//! SIGINT, or after ten minutes.
//!
//! The messages are derived and the service is written by hand, as tonic-build
//! would write them; protoc made the descriptors that reflection sends.
use std::convert::Infallible;
use std::task::{Context, Poll};
use std::time::Duration;

use serde::Serialize;
use sha2::{Digest, Sha256};
use tokio::signal::unix::{signal, SignalKind};
use tonic::body::Body;
use tonic::codegen::{http, BoxFuture, Service};
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;

static DESCRIPTORS: &[u8] = include_bytes!(env!("SHOP_DESCRIPTORS"));

#[derive(Clone, PartialEq, Serialize, prost::Message)]
struct Order {
    #[prost(string, tag = "1")]
    customer: String,
    #[prost(message, repeated, tag = "2")]
    items: Vec<Item>,
}

#[derive(Clone, PartialEq, Serialize, prost::Message)]
struct Item {
    #[prost(string, tag = "1")]
    sku: String,
    #[prost(int32, tag = "2")]
    count: i32,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Receipt {
    #[prost(string, tag = "1")]
    id: String,
    #[prost(int64, tag = "2")]
    cents: i64,
}

#[derive(Serialize)]
struct Record<'a> {
    n: usize,
    order: &'a Order,
}

/// The order's price in cents: a SKU costs the sum of its bytes.
fn price(order: &Order) -> i64 {
    let sku = |s: &str| s.bytes().map(i64::from).sum::<i64>();
    order.items.iter().map(|i| sku(&i.sku) * i64::from(i.count)).sum()
}

/// The id of an order's audit record: the hash of its JSON.
fn audit(order: &Order, n: usize) -> String {
    let record = serde_json::to_vec(&Record { n, order }).expect("no map in it");
    let sum = Sha256::digest(&record);
    sum[..8].iter().map(|b| format!("{b:02x}")).collect()
}

#[derive(Clone)]
struct Orders {
    audits: usize,
}

impl Orders {
    async fn place(self, order: Order) -> Result<Receipt, Status> {
        if order.items.is_empty() {
            return Err(Status::invalid_argument("an order needs items"));
        }
        let mut id = String::new();
        for n in 0..self.audits {
            id = audit(&order, n);
        }
        Ok(Receipt { id, cents: price(&order) })
    }
}

impl UnaryService<Order> for Orders {
    type Response = Receipt;
    type Future = BoxFuture<Response<Receipt>, Status>;

    fn call(&mut self, request: Request<Order>) -> Self::Future {
        let place = self.clone().place(request.into_inner());
        Box::pin(async move { Ok(Response::new(place.await?)) })
    }
}

impl NamedService for Orders {
    const NAME: &'static str = "shop.v1.Orders";
}

impl Service<http::Request<Body>> for Orders {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Self::Error>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let orders = self.clone();
        Box::pin(async move {
            Ok(match request.uri().path() {
                "/shop.v1.Orders/Place" => {
                    Grpc::new(ProstCodec::default()).unary(orders, request).await
                }
                _ => Status::unimplemented("").into_http(),
            })
        })
    }
}

fn option(name: &str, default: &str) -> String {
    let words: Vec<String> = std::env::args().collect();
    let found = words.windows(2).find(|w| w[0] == name);
    found.map_or(default.into(), |w| w[1].clone())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = option("-listen", "127.0.0.1:50051");
    let audits = option("-audits", "60").parse()?;
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(DESCRIPTORS)
        .build_v1()?;
    let mut term = signal(SignalKind::terminate())?;
    let mut int = signal(SignalKind::interrupt())?;
    let listener = tokio::net::TcpListener::bind(address).await?;
    println!("listening on {}", listener.local_addr()?);
    let server = tonic::transport::Server::builder()
        .add_service(Orders { audits })
        .add_service(reflection)
        .serve_with_incoming(TcpIncoming::from(listener).with_nodelay(Some(true)));
    tokio::select! {
        done = server => Ok(done?),
        _ = term.recv() => Ok(()),
        _ = int.recv() => Ok(()),
        () = tokio::time::sleep(Duration::from_secs(600)) => Ok(()),
    }
}
