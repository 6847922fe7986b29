// Writes the lines that journal.hpp describes.
#include "journal.hpp"
#include <cerrno>
#include <charconv>

namespace exchange {
namespace {
void put(std::string& line, std::string_view text) { line.append(line.empty() ? "" : " ").append(text); }
void put(std::string& line, char code) { put(line, std::string_view{&code, 1}); }
void put(std::string& line, std::integral auto number) {
    std::array<char, 20> digits;
    const char* end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
    put(line, std::string_view{digits.data(), static_cast<std::size_t>(end - digits.data())});
}
void put(std::string& line, Time time) { put(line, time.time_since_epoch().count()); }
} // namespace

nexus::Result<Journal> Journal::open(const std::string& path) {
    Journal journal;
    journal.file_.reset(std::fopen(path.c_str(), "ae"));
    if (!journal.file_) return nexus::Error::from_errno(errno, "open", path);
    journal.path_ = path;
    return journal;
}

void Journal::accepted(Time time, std::string_view owner, std::string_view symbol, const NewOrder& order) {
    append('O', time, order.id, owner, symbol, static_cast<char>(order.side), static_cast<char>(order.type),
           static_cast<char>(order.time_in_force), order.price, order.quantity);
}

void Journal::replaced(Time time, OrderId id, Ticks price, Quantity left) { append('R', time, id, price, left); }
void Journal::cancelled(Time time, OrderId id, Quantity left) { append('C', time, id, left); }
void Journal::filled(Time time, const Fill& fill) {
    append('F', time, fill.taker, fill.maker, fill.price, fill.quantity);
}

template <class... Parts>
void Journal::append(const Parts&... parts) {
    line_.clear();
    (put(line_, parts), ...);
    line_ += '\n';
    for (const char c : line_) hash_ = (hash_ ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    ++lines_;
    if (keep_) text_ += line_;
    if (file_) std::fwrite(line_.data(), 1, line_.size(), file_.get()); // a failure stays in ferror() until flush()
}

nexus::Result<> Journal::flush() {
    if (!file_) return {};
    if (std::fflush(file_.get()) != 0) return nexus::Error::from_errno(errno, "write", path_);
    return std::ferror(file_.get()) != 0 ? nexus::Error::from_errno(EIO, "write", path_) : nexus::Result<>{};
}
} // namespace exchange
