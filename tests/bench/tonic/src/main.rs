//! A Greeter on tonic, for tests/bench/serve.sh and tests/run:
//!
//! `greeter -port 0 -work 0 -sum 0`
//!
//! With `-sum 1` it measures the CPU time of its loop and prints it each second
//! and when SIGTERM ends it: "calls N loop_ns N cpu_ns N", the last being the
//! CPU time of the process.
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
use std::time::Duration;

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

/// CPU time, in ns, of this thread or process.
fn cpu_ns(clock: libc::clockid_t) -> u64 {
    let mut t = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: t is a timespec.
    unsafe { libc::clock_gettime(clock, &mut t) };
    t.tv_sec as u64 * 1_000_000_000 + t.tv_nsec as u64
}

#[derive(Default)]
struct State {
    work: u64,
    sum: bool,
    calls: AtomicU64,
    loop_ns: AtomicU64,
}

impl State {
    fn work(&self) {
        if !self.sum {
            black_box(spin(self.work));
            return;
        }
        let began = cpu_ns(libc::CLOCK_THREAD_CPUTIME_ID);
        black_box(spin(self.work));
        let used = cpu_ns(libc::CLOCK_THREAD_CPUTIME_ID) - began;
        self.loop_ns.fetch_add(used, Ordering::Relaxed);
    }

    fn print(&self) {
        println!(
            "calls {} loop_ns {} cpu_ns {}",
            self.calls.load(Ordering::Relaxed),
            self.loop_ns.load(Ordering::Relaxed),
            cpu_ns(libc::CLOCK_PROCESS_CPUTIME_ID)
        );
    }
}

/// Print the sums each second, until SIGTERM.
async fn print_sums(state: &State) {
    use tokio::signal::unix::{signal, SignalKind};
    let mut term = signal(SignalKind::terminate()).expect("SIGTERM");
    let second = Duration::from_secs(1);
    while tokio::time::timeout(second, term.recv()).await.is_err() {
        state.print();
    }
    state.print();
}

#[derive(Clone)]
struct Greeter(Arc<State>);

impl UnaryService<HelloRequest> for Greeter {
    type Response = HelloReply;
    type Future = Ready<Result<Response<HelloReply>, Status>>;

    fn call(&mut self, request: Request<HelloRequest>) -> Self::Future {
        let n = self.0.calls.fetch_add(1, Ordering::Relaxed) + 1;
        self.0.work();
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
    let state = Arc::new(State {
        work: option("-work"),
        sum: option("-sum") != 0,
        ..State::default()
    });
    let server = tonic::transport::Server::builder()
        .add_service(Greeter(state.clone()))
        .serve_with_incoming(incoming);
    if !state.sum {
        return Ok(server.await?);
    }
    tokio::select! {
        done = server => Ok(done?),
        () = print_sums(&state) => Ok(()),
    }
}
