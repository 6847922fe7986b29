// Characters, space, comments, strings and scalars of a JSON text, with the place of each.
//
// Invariant: place() is the place of the next unread character; every byte that is read passes take().
#pragma once

#include "nexus/config/private/problem_list.hpp"

#include <cstddef>
#include <string>
#include <string_view>

namespace nexus::config_detail {

class JsonScanner {
public:
    /// Keeps a view of `text`. A byte order mark at its beginning is skipped and has no column.
    JsonScanner(std::string_view text, ProblemList& problems);

    [[nodiscard]] bool at_end() const noexcept { return at_ == text_.size(); }
    /// The next byte, '\0' at the end (a NUL in the text looks the same here and is reported as what it is).
    [[nodiscard]] char peek(std::size_t ahead = 0) const noexcept {
        return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
    }
    [[nodiscard]] Place place() const noexcept { return place_; }
    char take() noexcept;

    // False: reading cannot go on, the reason has been reported.
    [[nodiscard]] bool skip_space();
    /// Expects the opening quote here. Bad escapes and bytes are reported and skipped.
    [[nodiscard]] bool read_string(std::string& out, const std::string& pointer);
    /// A number, true, false or null.
    [[nodiscard]] bool read_scalar(nlohmann::json& out, const std::string& pointer);

    /// What stands here, as a problem shows it: a word, a character, or the end of the text.
    [[nodiscard]] std::string shown_here() const;

private:
    [[nodiscard]] bool skip_block_comment();
    void read_escape(std::string& out, const std::string& pointer);
    [[nodiscard]] bool read_hex4(std::uint32_t& unit);
    void read_unicode_escape(std::string& out, Place start, const std::string& pointer);
    void read_character(std::string& out, const std::string& pointer);
    [[nodiscard]] std::string_view word() const noexcept;
    /// Bytes of the valid UTF-8 sequence that begins here, 0 when there is none.
    [[nodiscard]] std::size_t sequence_length() const noexcept;

    std::string_view text_;
    ProblemList& problems_;
    std::size_t at_ = 0;
    Place place_;
};

} // namespace nexus::config_detail
