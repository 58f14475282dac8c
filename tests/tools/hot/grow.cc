// grow FILE: where the heap grew, in tcmalloc's own words.
#include <gperftools/malloc_extension.h>
#include <cstdlib>
#include <fstream>
#include <string>

void *kept[3000];

__attribute__((noinline)) void keep_orders(int n)
{
    for (int i = 0; i < n; i++)
        kept[i] = malloc(1000 + i % 5000);
}

int main(int, char **argv)
{
    std::string growth;
    keep_orders(3000);
    MallocExtension::instance()->GetHeapGrowthStacks(&growth);
    std::ofstream(argv[1]) << growth;
}
