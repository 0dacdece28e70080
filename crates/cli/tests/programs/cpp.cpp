// Threads of C++: exceptions, objects of threads, futures; one case for each argument.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <future>
#include <mutex>
#include <numeric>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <pthread.h>
#include <unistd.h>

static void tell(const std::string &line) {
    std::string all = line + "\n";
    if (write(1, all.data(), all.size()) < 0) {
        _exit(98);
    }
}

struct Noted {
    std::string name;
    explicit Noted(std::string name) : name(std::move(name)) {
    }
    ~Noted() {
        tell("~" + name);
    }
};

static thread_local Noted first("first");
static thread_local Noted second("second");

static void objects() {
    std::thread([] {
        tell(first.name);
        tell(second.name);
    }).join();
    std::thread([] { tell("uses " + second.name); }).join();
}

static void exceptions() {
    std::thread([] {
        for (int i = 0; i < 3; i++) {
            try {
                Noted noted("noted " + std::to_string(i));
                std::this_thread::yield();
                throw std::runtime_error("thrown " + std::to_string(i));
            } catch (const std::exception &error) {
                std::this_thread::sleep_for(std::chrono::milliseconds(1));
                tell(error.what());
            }
        }
    }).join();
    // Those of several threads do not meet.
    std::vector<std::thread> threads;
    std::atomic<int> right{0};
    for (int i = 0; i < 50; i++) {
        threads.emplace_back([i, &right] {
            try {
                throw i;
            } catch (int caught) {
                std::this_thread::yield();
                try {
                    throw;
                } catch (int again) {
                    right += caught == i && again == i && std::uncaught_exceptions() == 0;
                }
            }
        });
    }
    for (auto &thread : threads) {
        thread.join();
    }
    tell("right: " + std::to_string(right));
}

static void futures() {
    auto sum = std::async(std::launch::async, [] {
        std::vector<int> numbers(1000);
        std::iota(numbers.begin(), numbers.end(), 0);
        return std::accumulate(numbers.begin(), numbers.end(), 0);
    });
    auto fails = std::async(std::launch::async, []() -> int { throw std::logic_error("failed"); });
    tell("sum: " + std::to_string(sum.get()));
    try {
        fails.get();
    } catch (const std::logic_error &error) {
        tell(error.what());
    }
    std::promise<std::string> promise;
    auto future = promise.get_future();
    std::thread thread([&] { promise.set_value_at_thread_exit("at the end"); });
    tell(future.get());
    thread.join();
    std::packaged_task<int(int)> task([](int number) { return number * 2; });
    auto doubled = task.get_future();
    std::thread(std::move(task), 21).join();
    tell("doubled: " + std::to_string(doubled.get()));
    auto late = std::async(std::launch::async, [] {
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        return 1;
    });
    auto status = late.wait_for(std::chrono::microseconds(1));
    tell(status == std::future_status::timeout ? "not yet" : "already");
    tell("late: " + std::to_string(late.get()));
}

static void identity() {
    std::thread::id inside;
    std::thread thread([&] { inside = std::this_thread::get_id(); });
    auto outside = thread.get_id();
    thread.join();
    tell("ids: " + std::to_string(inside == outside) +
         std::to_string(inside == std::this_thread::get_id()));
    tell("threads: " + std::to_string(std::thread::hardware_concurrency() > 0));
    try {
        thread.join();
    } catch (const std::system_error &error) {
        tell("join again: " + std::to_string(error.code() == std::errc::invalid_argument));
    }
}

static void *cancelled(void *) {
    Noted noted("cancelled");
    try {
        for (;;) {
            std::this_thread::sleep_for(std::chrono::seconds(1));
        }
    } catch (...) {
        tell("caught");
        throw;
    }
}

static void cancellation() {
    pthread_t thread;
    pthread_create(&thread, nullptr, cancelled, nullptr);
    pthread_cancel(thread);
    void *value = nullptr;
    pthread_join(thread, &value);
    tell(value == PTHREAD_CANCELED ? "canceled" : "not canceled");
}

static void throw_one() {
    throw 1;
}

int main(int count, char **arguments) {
    std::string what = count > 1 ? arguments[1] : "";
    if (what == "uncaught") {
        std::set_terminate([] {
            tell("terminate");
            abort();
        });
        std::thread([] { throw std::runtime_error("uncaught"); }).join();
    } else if (what == "noexcept") {
        std::thread([]() noexcept { throw_one(); }).join();
    } else if (what == "joinable") {
        std::thread thread([] {});
    }
    objects();
    exceptions();
    futures();
    identity();
    cancellation();
    return 0;
}
