// nexus_bench [--rounds N] [--filter TEXT]: prints the quick comparison as a table.
#include "benchmarks/quick/harness.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace {

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

void report(const bench::Workload& workload, int rounds) {
    std::vector<std::vector<double>> figures(workload.contenders.size());
    for (int round = 0; round < rounds; ++round) {
        for (std::size_t i = 0; i < workload.contenders.size(); ++i) {
            if (const double figure = workload.contenders[i].run(); figure >= 0) figures[i].push_back(figure);
        }
    }
    const double ours = figures[0].empty() ? 0 : median(figures[0]);
    for (std::size_t i = 0; i < workload.contenders.size(); ++i) {
        const char* name = workload.contenders[i].name.c_str();
        if (figures[i].empty()) {
            std::printf("%-26s %-24s %12s\n", workload.name.c_str(), name, "not here");
            continue;
        }
        const double figure = median(figures[i]);
        std::printf("%-26s %-24s %10.1f ns", workload.name.c_str(), name, figure);
        if (i > 0) std::printf("   nexus is %.2f x", ours / figure);
        std::printf("\n");
    }
    std::fflush(stdout);
}

} // namespace

int main(int argc, char** argv) {
    int rounds = 5;
    std::string filter;
    for (int i = 1; i < argc; ++i) {
        if (std::strcmp(argv[i], "--rounds") == 0 && i + 1 < argc) {
            rounds = std::max(1, std::atoi(argv[++i]));
        } else if (std::strcmp(argv[i], "--filter") == 0 && i + 1 < argc) {
            filter = argv[++i];
        } else {
            std::fprintf(stderr, "usage: nexus_bench [--rounds N] [--filter TEXT]\n");
            return 2;
        }
    }
    std::printf("%-26s %-24s %13s   (medians of %d alternating rounds)\n", "workload", "who", "an operation", rounds);
    for (auto list : {&bench::switch_workloads, &bench::echo_workloads}) {
        for (const bench::Workload& workload : list()) {
            if (workload.name.find(filter) != std::string::npos) report(workload, rounds);
        }
    }
}
