// throw N: exceptions through 30 frames that have something to destroy, N times
// in each of two threads, beside a thread that opens and closes a library.
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <thread>

#include <dlfcn.h>

namespace {

std::atomic<long> caught, destroyed;
std::atomic<bool> over;

struct Counted {
    ~Counted() { ++destroyed; }
};

__attribute__((noinline)) int Descend(int depth, int n) {
    Counted counted;
    if (depth == 0) throw std::runtime_error("number " + std::to_string(n));
    return Descend(depth - 1, n) + 1;
}

void Throw(int times) {
    for (int i = 0; i < times; i++) {
        try {
            Descend(29, i);
        } catch (const std::runtime_error &e) {
            caught += e.what() == "number " + std::to_string(i);
        }
    }
}

void Libraries() {
    while (!over) {
        if (void *library = dlopen("libresolv.so.2", RTLD_NOW))
            dlclose(library);
    }
}

}  // namespace

int main(int argc, char **argv) {
    int times = argc > 1 ? std::atoi(argv[1]) : 0;
    std::thread one(Throw, times), two(Throw, times), three(Libraries);
    one.join();
    two.join();
    over = true;
    three.join();
    std::printf("caught %ld destroyed %ld\n", caught.load(), destroyed.load());
}
