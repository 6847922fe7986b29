// The journal: one line for each accepted order, replace, cancel and fill, in the order in which the engine decided
// them, and a running hash over these lines. From the lines alone every fill and every position can be computed again:
//     O time id owner symbol side type time-in-force price quantity       accepted; the codes are those of FIX
//     R time id price quantity                                            replaced: the price and what is left now
//     C time id quantity                                                  cancelled with this quantity left
//     F time taker maker price quantity                                   fill
// Times are nanoseconds of the Unix epoch, prices are ticks. Owners and symbols must not contain blanks.
#pragma once
#include "fix_message.hpp"
#include "nexus/base/error.hpp"
#include "order_book.hpp"
#include <cstdio>
#include <memory>

namespace exchange {
class Journal {
public:
    Journal() = default; ///< keeps the hash only
    /// Keeps the lines in memory, for tests and tools.
    [[nodiscard]] static Journal in_memory() {
        Journal journal;
        journal.keep_ = true;
        return journal;
    }
    /// Appends to a file, buffered; writing may block for as long as the disk does.
    [[nodiscard]] static nexus::Result<Journal> open(const std::string& path);
    void accepted(Time time, std::string_view owner, std::string_view symbol, const NewOrder& order);
    void replaced(Time time, OrderId id, Ticks price, Quantity left);
    void cancelled(Time time, OrderId id, Quantity left);
    void filled(Time time, const Fill& fill);
    /// Hands buffered lines to the kernel; says whether all lines so far were written.
    nexus::Result<> flush();
    [[nodiscard]] std::uint64_t hash() const { return hash_; }
    [[nodiscard]] std::uint64_t lines() const { return lines_; }
    /// The lines of a journal in memory.
    [[nodiscard]] const std::string& text() const { return text_; }

private:
    struct Close {
        void operator()(std::FILE* file) const { std::fclose(file); }
    };
    template <class... Parts>
    void append(const Parts&... parts);
    bool keep_ = false;
    std::unique_ptr<std::FILE, Close> file_;
    std::string path_, line_, text_;
    std::uint64_t hash_ = 0xcbf29ce484222325; // FNV-1a
    std::uint64_t lines_ = 0;
};
} // namespace exchange
