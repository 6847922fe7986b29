// The journal: one line for each accepted order, cancel and fill, in the order in which the engine decided them, and a
// running hash over these lines. From the lines alone every fill and every position can be computed again.
#pragma once

#include "fix_message.hpp"
#include "order_book.hpp"

#include "nexus/base/error.hpp"

#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace exchange {

// Owners and symbols must not contain blanks.
struct OrderAccepted {
    Time time;
    std::string owner;
    std::string symbol;
    NewOrder order;
};
struct OrderCancelled {
    Time time;
    OrderId id = 0;
    Quantity quantity = 0; ///< what was left of it
};
struct Trade {
    Time time;
    Fill fill;
};
using Record = std::variant<OrderAccepted, OrderCancelled, Trade>;

class Journal {
public:
    /// Keeps the hash only.
    Journal() = default;
    /// Keeps the lines in memory, for tests and tools.
    [[nodiscard]] static Journal in_memory();
    /// Appends to a file, buffered; writing may block for as long as the disk does.
    [[nodiscard]] static nexus::Result<Journal> open(const std::string& path);

    void append(const Record& record);
    /// Hands buffered lines to the kernel; says whether all lines so far were written.
    nexus::Result<> flush();

    [[nodiscard]] std::uint64_t hash() const { return hash_; }
    [[nodiscard]] std::uint64_t records() const { return records_; }
    /// The lines of a journal in memory.
    [[nodiscard]] const std::string& text() const { return text_; }

private:
    struct Close {
        void operator()(std::FILE* file) const { std::fclose(file); }
    };
    bool keep_ = false;
    std::unique_ptr<std::FILE, Close> file_;
    std::string path_;
    std::string line_;
    std::string text_;
    std::uint64_t hash_ = 0xcbf29ce484222325; // FNV-1a
    std::uint64_t records_ = 0;
};

/// Reads a line, without its end. Nothing when it is not one that append() wrote.
[[nodiscard]] std::optional<Record> parse_record(const std::string& line);

/// Calls visit(record) for each line; false at the first line that is none (as when the writer was killed).
template <class Visit>
bool for_each_record(std::string_view text, Visit&& visit) {
    while (!text.empty()) {
        const std::size_t end = text.find('\n');
        if (end == std::string_view::npos) return false;
        const auto record = parse_record(std::string{text.substr(0, end)});
        if (!record) return false;
        visit(*record);
        text.remove_prefix(end + 1);
    }
    return true;
}

} // namespace exchange
