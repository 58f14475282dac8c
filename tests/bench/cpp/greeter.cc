// A Greeter on grpc C++, for tests/bench/serve.sh, tests/run and tests/load:
//
//   greeter [-port N] [-work N] [-threads N] [-sum 1]
//           [-cert FILE -key FILE [-ca FILE]]
//
// It speaks TLS with -cert; with -ca it requires a client certificate.
//
// With -sum 1 it measures the CPU time of its loop and prints it each second and
// when SIGTERM ends it: "calls N loop_ns N cpu_ns N", the last being the CPU time
// of the process.
//
// Completion queues, one and its thread by default: of what this library
// offers that costs least CPU a call; its callbacks run in threads that it
// starts and wakes as it likes.
#include <signal.h>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <grpcpp/grpcpp.h>

#include "helloworld.grpc.pb.h"

using helloworld::Greeter;
using helloworld::HelloReply;
using helloworld::HelloRequest;

namespace {

std::uint64_t work;
bool sum_loops;
std::atomic<std::uint64_t> calls, loop_ns;

// The loop of grpcprof's svc_work(), aligned for the same reason.
__attribute__((noinline, aligned(64))) std::uint64_t spin(std::uint64_t n) {
    std::uint64_t sum = 0, i = 0;
    if (n == 0) return 0;
    __asm__ volatile(".p2align 6" : "+r"(sum), "+r"(i), "+r"(n));
    do {
        sum += i * i;
        __asm__ volatile("" : "+r"(sum));
    } while (++i < n);
    return sum;
}

// CPU time, in ns, of this thread or process.
std::uint64_t CpuNs(clockid_t clock) {
    timespec t;
    clock_gettime(clock, &t);
    return static_cast<std::uint64_t>(t.tv_sec) * 1000000000 +
           static_cast<std::uint64_t>(t.tv_nsec);
}

void Work() {
    if (!sum_loops) {
        __asm__ volatile("" : : "r"(spin(work)));
        return;
    }
    std::uint64_t began = CpuNs(CLOCK_THREAD_CPUTIME_ID);
    __asm__ volatile("" : : "r"(spin(work)));
    loop_ns += CpuNs(CLOCK_THREAD_CPUTIME_ID) - began;
}

// Print the sums each second, until SIGTERM, which all threads block.
void PrintSums(const sigset_t &term) {
    const timespec second = {1, 0};
    bool ends;
    do {
        ends = sigtimedwait(&term, nullptr, &second) == SIGTERM;
        std::printf("calls %llu loop_ns %llu cpu_ns %llu\n",
                    static_cast<unsigned long long>(calls),
                    static_cast<unsigned long long>(loop_ns),
                    static_cast<unsigned long long>(
                        CpuNs(CLOCK_PROCESS_CPUTIME_ID)));
        std::fflush(stdout);
    } while (!ends);
    std::_Exit(0);
}

// One call: waits for a request, answers it, goes, having left another to wait.
class Call {
  public:
    Call(Greeter::AsyncService *service, grpc::ServerCompletionQueue *queue)
        : service_(service), queue_(queue), writer_(&context_) {
        service_->RequestSayHello(&context_, &request_, &writer_, queue_,
                                  queue_, this);
    }

    void Go(bool ok) {
        if (answered_ || !ok) {
            delete this;
            return;
        }
        new Call(service_, queue_);
        answered_ = true;
        std::uint64_t n = ++calls;
        Work();
        HelloReply reply;
        reply.set_message("Hello " + request_.name() + "! (request #" +
                          std::to_string(n) + ")");
        writer_.Finish(reply, grpc::Status::OK, this);
    }

  private:
    Greeter::AsyncService *service_;        // borrowed
    grpc::ServerCompletionQueue *queue_;    // borrowed
    grpc::ServerContext context_;
    HelloRequest request_;
    grpc::ServerAsyncResponseWriter<HelloReply> writer_;
    bool answered_ = false;
};

std::string File(const std::string &path) {
    std::stringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
}

std::shared_ptr<grpc::ServerCredentials> Credentials(const std::string &cert,
                                                     const std::string &key,
                                                     const std::string &ca) {
    if (cert.empty()) return grpc::InsecureServerCredentials();
    grpc::SslServerCredentialsOptions options(
        ca.empty()
            ? GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE
            : GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
    options.pem_key_cert_pairs.push_back({File(key), File(cert)});
    if (!ca.empty()) options.pem_root_certs = File(ca);
    return grpc::SslServerCredentials(options);
}

void Serve(Greeter::AsyncService *service, grpc::ServerCompletionQueue *queue) {
    void *tag;
    bool ok;
    for (int i = 0; i < 100; i++) new Call(service, queue);
    while (queue->Next(&tag, &ok)) static_cast<Call *>(tag)->Go(ok);
}

}  // namespace

int main(int argc, char **argv) {
    std::string port = "0", cert, key, ca;
    int threads = 1, bound = 0;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (!std::strcmp(argv[i], "-port")) port = argv[i + 1];
        else if (!std::strcmp(argv[i], "-work"))
            work = std::strtoull(argv[i + 1], nullptr, 10);
        else if (!std::strcmp(argv[i], "-threads"))
            threads = static_cast<int>(std::strtol(argv[i + 1], nullptr, 10));
        else if (!std::strcmp(argv[i], "-sum"))
            sum_loops = *argv[i + 1] == '1';
        else if (!std::strcmp(argv[i], "-cert")) cert = argv[i + 1];
        else if (!std::strcmp(argv[i], "-key")) key = argv[i + 1];
        else if (!std::strcmp(argv[i], "-ca")) ca = argv[i + 1];
        else return 2;
    }
    sigset_t term;
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    if (sum_loops) sigprocmask(SIG_BLOCK, &term, nullptr);
    Greeter::AsyncService service;
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:" + port,
                             Credentials(cert, key, ca), &bound);
    builder.RegisterService(&service);
    std::vector<std::unique_ptr<grpc::ServerCompletionQueue>> queues;
    for (int i = 0; i < threads; i++)
        queues.push_back(builder.AddCompletionQueue());
    std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
    if (!server || !bound) return 1;
    std::printf("listening on 127.0.0.1:%d\n", bound);
    std::fflush(stdout);
    std::vector<std::thread> running;
    for (auto &queue : queues)
        running.emplace_back(Serve, &service, queue.get());
    if (sum_loops) PrintSums(term);
    for (auto &thread : running) thread.join();
}
