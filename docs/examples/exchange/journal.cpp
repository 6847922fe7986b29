// Lines of the journal: O time id owner symbol side type tif price quantity | C time id quantity |
// F time taker maker price quantity. Times are nanoseconds of the Unix epoch, prices are ticks.
#include "journal.hpp"

#include <array>
#include <cerrno>
#include <charconv>
#include <concepts>
#include <sstream>
#include <type_traits>

namespace exchange {
namespace {

/// Calls visit with each field of a record in the order of its line: one order for writing and for reading.
template <class Visit>
void fields(auto& record, Visit&& visit) {
    visit(record.time);
    if constexpr (requires { record.owner; }) {
        auto& order = record.order;
        visit(order.id), visit(record.owner), visit(record.symbol), visit(order.side), visit(order.type);
        visit(order.time_in_force), visit(order.price), visit(order.quantity);
    } else if constexpr (requires { record.fill; }) {
        visit(record.fill.taker), visit(record.fill.maker), visit(record.fill.price), visit(record.fill.quantity);
    } else {
        visit(record.id), visit(record.quantity);
    }
}

struct Writer {
    std::string& line;

    void operator()(const std::string& text) { line.append(1, ' ').append(text); }
    void operator()(Time time) { (*this)(time.time_since_epoch().count()); }
    void operator()(std::integral auto number) {
        std::array<char, 20> digits;
        line.append(1, ' ').append(digits.data(), std::to_chars(digits.begin(), digits.end(), number).ptr);
    }
    template <class E>
        requires std::is_enum_v<E>
    void operator()(E value) { line.append(1, ' ').append(1, static_cast<char>(value)); }
};

struct Reader {
    std::istringstream& in;

    void operator()(auto& value) { in >> value; }
    void operator()(Time& time) {
        std::int64_t nanoseconds = 0;
        in >> nanoseconds;
        time = Time{std::chrono::nanoseconds{nanoseconds}};
    }
    template <class E>
        requires std::is_enum_v<E>
    void operator()(E& value) {
        char c = 0;
        in >> c;
        value = E{c};
    }
};

constexpr std::string_view kinds = "OCF"; // in the order of Record's alternatives

template <class R>
std::optional<Record> read(std::istringstream& in) {
    R record;
    fields(record, Reader{in});
    if (!in || in.peek() != std::istringstream::traits_type::eof()) return std::nullopt;
    return record;
}

} // namespace

Journal Journal::in_memory() {
    Journal journal;
    journal.keep_ = true;
    return journal;
}

nexus::Result<Journal> Journal::open(const std::string& path) {
    Journal journal;
    journal.file_.reset(std::fopen(path.c_str(), "ae"));
    if (!journal.file_) return nexus::Error::from_errno(errno, "open", path);
    journal.path_ = path;
    return journal;
}

void Journal::append(const Record& record) {
    line_.assign(1, kinds[record.index()]);
    std::visit([&](const auto& fields_of) { fields(fields_of, Writer{line_}); }, record);
    line_ += '\n';
    for (const char c : line_) hash_ = (hash_ ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    ++records_;
    if (keep_) text_ += line_;
    if (file_) std::fwrite(line_.data(), 1, line_.size(), file_.get()); // a failure stays in ferror() until flush()
}

nexus::Result<> Journal::flush() {
    if (!file_) return {};
    if (std::fflush(file_.get()) != 0) return nexus::Error::from_errno(errno, "write", path_);
    if (std::ferror(file_.get()) != 0) return nexus::Error::from_errno(EIO, "write", path_);
    return {};
}

std::optional<Record> parse_record(const std::string& line) {
    std::istringstream in{line};
    switch (in.get()) {
    case 'O': return read<OrderAccepted>(in);
    case 'C': return read<OrderCancelled>(in);
    case 'F': return read<Trade>(in);
    default: return std::nullopt;
    }
}

} // namespace exchange
