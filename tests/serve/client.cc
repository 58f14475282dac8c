// Calls serve with grpc++, a client that is not ours.
//   client HOST:PORT     prints "ok name" or "FAIL name: why" for each case
#include <chrono>
#include <functional>
#include <iostream>
#include <memory>
#include <string>

#include <grpcpp/grpcpp.h>

#include "helloworld.grpc.pb.h"

using grpc::ClientContext;
using grpc::Status;
using grpc::StatusCode;
using helloworld::Greeter;
using helloworld::HelloReply;
using helloworld::HelloRequest;

static std::unique_ptr<Greeter::Stub> stub;

static void within(ClientContext *context, int ms)
{
    context->set_deadline(std::chrono::system_clock::now() +
                          std::chrono::milliseconds(ms));
}

static HelloRequest named(const std::string &name)
{
    HelloRequest request;
    request.set_name(name);
    return request;
}

// Is it a greeting of that name?
static bool greets(const HelloReply &reply, const std::string &name)
{
    return reply.message().rfind("Hello " + name + "! (request #", 0) == 0;
}

static std::string told(const Status &status)
{
    return status.ok() ? "" :
        "status " + std::to_string(status.error_code()) + " " +
        status.error_message();
}

static std::string unary()
{
    for (int i = 0; i < 100; i++) {
        ClientContext context;
        HelloReply reply;
        std::string name = "c++ " + std::to_string(i);
        within(&context, 20000);
        Status status = stub->SayHello(&context, named(name), &reply);
        if (!status.ok())
            return told(status);
        if (!greets(reply, name))
            return "answered " + reply.message();
    }
    return "";
}

static std::string server_stream()
{
    ClientContext context;
    HelloReply reply;
    int n = 0;
    within(&context, 20000);
    auto reader = stub->SayHelloStreamReply(&context, named("many"));
    for (; reader->Read(&reply); n++)
        if (!greets(reply, "many"))
            return "answered " + reply.message();
    Status status = reader->Finish();
    if (!status.ok())
        return told(status);
    return n > 1 ? "" : std::to_string(n) + " replies";
}

static std::string bidi()
{
    ClientContext context;
    HelloReply reply;
    within(&context, 20000);
    auto stream = stub->SayHelloBidiStream(&context);
    for (int i = 0; i < 50; i++) {
        std::string name = "turn " + std::to_string(i);
        if (!stream->Write(named(name)) || !stream->Read(&reply))
            return "ended after " + std::to_string(i) + ": " +
                told(stream->Finish());
        if (!greets(reply, name))
            return "answered " + reply.message();
    }
    stream->WritesDone();
    if (stream->Read(&reply))
        return "said more than it was asked";
    return told(stream->Finish());
}

static std::string deadline()
{
    ClientContext context;
    HelloReply reply;
    within(&context, 300);
    auto stream = stub->SayHelloBidiStream(&context);
    if (stream->Read(&reply))
        return "answered what nobody asked";
    Status status = stream->Finish();
    return status.error_code() == StatusCode::DEADLINE_EXCEEDED ? "" :
        "status " + std::to_string(status.error_code());
}

static std::string cancelled()
{
    ClientContext context;
    HelloReply reply;
    within(&context, 20000);
    auto stream = stub->SayHelloBidiStream(&context);
    if (!stream->Write(named("x")) || !stream->Read(&reply))
        return told(stream->Finish());
    context.TryCancel();
    while (stream->Read(&reply))
        ;
    Status status = stream->Finish();
    return status.error_code() == StatusCode::CANCELLED ? "" :
        "status " + std::to_string(status.error_code());
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    stub = Greeter::NewStub(grpc::CreateChannel(
        argv[1], grpc::InsecureChannelCredentials()));
    const struct {
        const char *name;
        std::function<std::string()> run;
    } cases[] = {
        {"100 calls", unary}, {"server streaming", server_stream},
        {"bidi, a turn at a time", bidi}, {"deadline of a stream", deadline},
        {"cancelled", cancelled}, {"a call after all that", unary},
    };
    for (const auto &c : cases) {
        std::string why = c.run();
        if (why.empty())
            std::cout << "ok   grpc++ " << c.name << std::endl;
        else
            std::cout << "FAIL grpc++ " << c.name << ": " << why << std::endl;
    }
}
