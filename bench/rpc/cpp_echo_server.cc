// The peer: echo on gRPC's C++ asynchronous API, one completion queue and one thread each, requests
// posted ahead, as the library's own benchmark server does. cpp_echo_server threads
#include <grpcpp/grpcpp.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <thread>
#include <vector>

#include "bench/rpc/echo.grpc.pb.h"

namespace {

constexpr int kPosted = 1000;

class Call {
  public:
    Call(bench::EchoService::AsyncService *service, grpc::ServerCompletionQueue *queue)
        : service_(service), queue_(queue) {
        Post();
    }

    void Proceed(bool ok) {
        if (!ok) {
            delete this;
        } else if (!answered_) {
            answered_ = true;
            response_.set_payload(request_.payload());
            responder_->Finish(response_, grpc::Status::OK, this);
        } else {
            Post();
        }
    }

  private:
    void Post() {
        answered_ = false;
        context_ = std::make_unique<grpc::ServerContext>();
        responder_ = std::make_unique<grpc::ServerAsyncResponseWriter<bench::EchoMessage>>(context_.get());
        service_->RequestEcho(context_.get(), &request_, responder_.get(), queue_, queue_, this);
    }

    bench::EchoService::AsyncService *service_;
    grpc::ServerCompletionQueue *queue_;
    std::unique_ptr<grpc::ServerContext> context_;
    std::unique_ptr<grpc::ServerAsyncResponseWriter<bench::EchoMessage>> responder_;
    bench::EchoMessage request_;
    bench::EchoMessage response_;
    bool answered_ = false;
};

} // namespace

int main(int count, char **words) {
    int threads = count > 1 ? std::atoi(words[1]) : 1;
    int port = 0;
    bench::EchoService::AsyncService service;
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(&service);
    std::vector<std::unique_ptr<grpc::ServerCompletionQueue>> queues;
    for (int i = 0; i < threads; i++) {
        queues.push_back(builder.AddCompletionQueue());
    }
    std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
    if (server == nullptr) {
        return 1;
    }
    std::vector<std::thread> runners;
    for (auto &queue : queues) {
        for (int i = 0; i < kPosted; i++) {
            new Call(&service, queue.get());
        }
        runners.emplace_back([&queue] {
            void *tag = nullptr;
            bool ok = false;
            while (queue->Next(&tag, &ok)) {
                static_cast<Call *>(tag)->Proceed(ok);
            }
        });
    }
    std::printf("%d\n", port);
    std::fflush(stdout);
    while (std::getchar() != EOF) {
    }
    server->Shutdown();
    for (auto &queue : queues) {
        queue->Shutdown();
    }
    for (auto &runner : runners) {
        runner.join();
    }
    return 0;
}
