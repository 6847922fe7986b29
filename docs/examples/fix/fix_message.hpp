// FIX 4.4 tag=value encoding: cutting a byte stream into messages, reading one without copying it, and writing.
// Nothing here knows sequence numbers or sessions. Numbers are integers throughout: a decimal on the wire is a count of
// 1e-8 units, so that no price ever passes through a floating-point type.
#pragma once
#include <algorithm>
#include <array>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace exchange {
/// Wall time as FIX needs it. Whoever passes it in keeps it from running backwards.
using Time = std::chrono::sys_time<std::chrono::nanoseconds>;

namespace fix {
inline constexpr char soh = '\x01';
inline constexpr std::string_view begin_string = "FIX.4.4";

// clang-format off
namespace tag {
enum : int {
    avg_px = 6, begin_seq_no = 7, begin_string = 8, cl_ord_id = 11, cum_qty = 14, end_seq_no = 16, exec_id = 17,
    last_px = 31, last_qty = 32, msg_seq_num = 34, msg_type = 35, new_seq_no = 36, order_id = 37, order_qty = 38,
    ord_status = 39, ord_type = 40, orig_cl_ord_id = 41, poss_dup_flag = 43, price = 44, ref_seq_num = 45,
    sender_comp_id = 49, sending_time = 52, side = 54, symbol = 55, target_comp_id = 56, text = 58, time_in_force = 59,
    transact_time = 60, encrypt_method = 98, cxl_rej_reason = 102, ord_rej_reason = 103, heart_bt_int = 108,
    test_req_id = 112, orig_sending_time = 122, gap_fill_flag = 123, reset_seq_num_flag = 141, no_related_sym = 146,
    exec_type = 150, leaves_qty = 151, md_req_id = 262, subscription_request_type = 263, market_depth = 264,
    md_update_type = 265, aggregated_book = 266, no_md_entry_types = 267, no_md_entries = 268, md_entry_type = 269,
    md_entry_px = 270, md_entry_size = 271, md_update_action = 279, md_req_rej_reason = 281, ref_tag_id = 371,
    ref_msg_type = 372, session_reject_reason = 373, business_reject_reason = 380, cxl_rej_response_to = 434,
    ord_status_req_id = 790, appl_queue_depth = 813, appl_queue_resolution = 814
};
} // namespace tag

/// SessionRejectReason (373), those that this server gives.
namespace reason {
enum : int {
    invalid_tag = 0, required_tag_missing = 1, tag_without_value = 4, value_out_of_range = 5, bad_format = 6,
    comp_id_problem = 9, sending_time_problem = 10, invalid_msg_type = 11, tag_repeated = 13, wrong_group_count = 16,
    other = 99
};
} // namespace reason
// clang-format on

/// Why a message is refused at session level; `tag` 0: no tag can be named. `text` is a literal.
struct FieldError {
    int tag, reason;
    const char* text;
};

/// A number of 1e-8 units.
struct Decimal {
    static constexpr std::int64_t one = 100'000'000;
    std::int64_t units = 0;
    auto operator<=>(const Decimal&) const = default;
};

/// Strict readers: the whole text must be the value. Nothing on overflow, blanks, '+', or more than eight decimals.
[[nodiscard]] std::optional<std::int64_t> parse_integer(std::string_view text);
[[nodiscard]] std::optional<Decimal> parse_decimal(std::string_view text);
/// UTCTimestamp: 20260131-23:59:59 with an optional fraction of 3, 6 or 9 digits.
[[nodiscard]] std::optional<Time> parse_time(std::string_view text);

/// What the byte stream holds next.
struct Frame {
    enum class Kind {
        none,     ///< more bytes are needed
        message,  ///< `text` is a message, from its 8= to its last SOH; lengths and CheckSum are right
        garbled,  ///< `text` was skipped: no message that the standard lets us answer or count
        too_long, ///< a message above the limit is announced; the stream is of no further use
    };
    Kind kind = Kind::none;
    std::string_view text = {};
    const char* why = "";
};

/// Cuts a byte stream into frames. After anything garbled it goes on at the next "8=FIX.".
/// Use: fill space(), tell filled(), call next() until it yields Kind::none. Allocates only when constructed.
class Framer {
public:
    /// `limit`: the longest message accepted, in bytes.
    explicit Framer(std::size_t limit = 8192) : buffer_(limit) {}
    /// Room for further bytes; never empty after next() has yielded none. Invalidates frames.
    [[nodiscard]] std::span<char> space();
    void filled(std::size_t bytes) { end_ += bytes; }
    [[nodiscard]] Frame next();

private:
    Frame skip(std::string_view in, const char* why);
    std::vector<char> buffer_;
    std::size_t begin_ = 0, end_ = 0;
};

/// One message as a list of views into its text, which must outlive it. Values holding a SOH are not supported.
class Message {
public:
    static constexpr std::size_t max_fields = 128;
    /// Reads a Frame's text. Reads on after a fault, so that a Reject can name MsgSeqNum; error() has the first fault.
    explicit Message(std::string_view text);
    [[nodiscard]] const std::optional<FieldError>& error() const { return error_; }
    /// The first value of a tag.
    [[nodiscard]] std::optional<std::string_view> find(int tag) const;
    [[nodiscard]] bool repeats(int tag) const {
        return std::ranges::count(std::span{fields_}.first(count_), tag, &Field::tag) > 1;
    }
    /// All values of a tag, as a repeating group of one field has them.
    [[nodiscard]] std::vector<std::string_view> all(int tag) const;
    [[nodiscard]] std::string_view type() const { return find(tag::msg_type).value_or(""); }

private:
    struct Field {
        int tag;
        std::string_view value;
    };
    std::array<Field, max_fields> fields_;
    std::size_t count_ = 0;
    std::optional<FieldError> error_;
};

/// Reads required fields one after the other and keeps the first error, to be looked at once at the end. What could not
/// be read is returned empty or 0.
class FieldReader {
public:
    explicit FieldReader(const Message& message) : message_{&message}, error_{message.error()} {}
    [[nodiscard]] bool has(int tag) const { return message_->find(tag).has_value(); }
    std::string_view text(int tag);
    char character(int tag);
    std::int64_t integer(int tag);
    Decimal decimal(int tag);
    Time time(int tag);
    bool flag(int tag); ///< Y or N; absent means N
    /// A repeating group of one field, of which there are as many as `count_tag` says, and at least one.
    std::vector<std::string_view> group(int count_tag, int tag);
    [[nodiscard]] const std::optional<FieldError>& error() const { return error_; }

private:
    template <class T>
    T checked(int tag, std::optional<T> value);
    const Message* message_;
    std::optional<FieldError> error_;
};

/// The text of a run of fields, each with its SOH; the buffer is reused after clear().
class Fields {
public:
    void clear() { text_.clear(); }
    Fields& add(int tag, std::string_view value);
    Fields& add(int tag, char value) { return add(tag, std::string_view{&value, 1}); }
    Fields& add(int tag, Decimal value);
    Fields& add(int tag, Time value);
    template <std::integral T>
    Fields& add(int tag, T value) {
        return add_integer(tag, static_cast<std::int64_t>(value));
    }
    [[nodiscard]] std::string_view text() const { return text_; }

private:
    Fields& add_integer(int tag, std::int64_t value);
    std::string& begin(int tag);
    Fields& end();
    std::string text_;
};

/// Appends a complete message to `out`: BeginString, BodyLength, `head` (from MsgType on), `body`, CheckSum.
void append_message(std::string& out, std::string_view head, std::string_view body);
} // namespace fix
} // namespace exchange
