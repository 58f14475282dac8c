// cart.cc SECONDS STATUS -- spends SECONDS of CPU time in shop::Cart::total.
#include <cstdlib>
#include <ctime>

namespace shop {
struct Cart {
    volatile unsigned long sum = 1;
    __attribute__((noinline)) void total(int n) {
        for (int i = 0; i < n; i++) sum = sum * 31 + i;
    }
};
}

int main(int, char **argv) {
    shop::Cart cart;
    while (std::clock() < CLOCKS_PER_SEC * std::atof(argv[1]))
        cart.total(100000);
    return std::atoi(argv[2]);
}
