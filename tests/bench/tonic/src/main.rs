//! A Greeter on tonic, for tests/bench/serve.sh: `greeter -port 0 -work 0`.
//!
//! The messages are derived and the service written by hand, as tonic-build
//! would write them, so that building needs no protoc.
use std::arch::asm;
use std::convert::Infallible;
use std::future::{ready, Ready};
use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use std::task::{Context, Poll};

use tonic::body::Body;
use tonic::codegen::{http, BoxFuture, Service};
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;

#[derive(Clone, PartialEq, prost::Message)]
struct HelloRequest {
    #[prost(string, tag = "1")]
    name: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct HelloReply {
    #[prost(string, tag = "1")]
    message: String,
}

/// The loop of grpcprof's svc_work(), aligned for the same reason.
#[inline(never)]
fn spin(n: u64) -> u64 {
    let (mut sum, mut i) = (0u64, 0u64);
    if n == 0 {
        return 0;
    }
    // SAFETY: neither has an instruction but padding.
    unsafe { asm!(".p2align 6 /* {0} {1} */", inout(reg) sum, inout(reg) i) };
    while i < n {
        sum = sum.wrapping_add(i.wrapping_mul(i));
        unsafe { asm!("/* {0} */", inout(reg) sum, options(nomem, nostack)) };
        i += 1;
    }
    sum
}

#[derive(Default)]
struct State {
    work: u64,
    calls: AtomicU64,
}

#[derive(Clone)]
struct Greeter(Arc<State>);

impl UnaryService<HelloRequest> for Greeter {
    type Response = HelloReply;
    type Future = Ready<Result<Response<HelloReply>, Status>>;

    fn call(&mut self, request: Request<HelloRequest>) -> Self::Future {
        let n = self.0.calls.fetch_add(1, Ordering::Relaxed) + 1;
        black_box(spin(self.0.work));
        let message = format!("Hello {}! (request #{n})", request.into_inner().name);
        ready(Ok(Response::new(HelloReply { message })))
    }
}

impl NamedService for Greeter {
    const NAME: &'static str = "helloworld.Greeter";
}

impl Service<http::Request<Body>> for Greeter {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Self::Error>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let greeter = self.clone();
        Box::pin(async move {
            Ok(match request.uri().path() {
                "/helloworld.Greeter/SayHello" => {
                    Grpc::new(ProstCodec::default()).unary(greeter, request).await
                }
                _ => Status::unimplemented("").into_http(),
            })
        })
    }
}

fn option(name: &str) -> u64 {
    let words: Vec<String> = std::env::args().collect();
    words
        .windows(2)
        .find(|w| w[0] == name)
        .map_or(0, |w| w[1].parse().expect("a number"))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = format!("127.0.0.1:{}", option("-port"));
    let listener = tokio::net::TcpListener::bind(address).await?;
    println!("listening on {}", listener.local_addr()?);
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    let state = State { work: option("-work"), ..State::default() };
    tonic::transport::Server::builder()
        .add_service(Greeter(Arc::new(state)))
        .serve_with_incoming(incoming)
        .await?;
    Ok(())
}
