// The FIX 4.4 session layer; see session.hpp.
#include "session.hpp"

#include <algorithm>

namespace exchange {
namespace {

namespace tag = fix::tag;
namespace reason = fix::reason;

constexpr auto heartbeat_type = "0", test_request_type = "1", resend_request_type = "2", reject_type = "3",
               sequence_reset_type = "4", logout_type = "5", logon_type = "A";

/// Types of FIX 4.4 are one letter or digit, or AA to BH.
bool is_fix44_type(std::string_view type) {
    const auto in_range = [](char c, char from, char to) { return c >= from && c <= to; };
    if (type.size() == 1)
        return in_range(type[0], '0', '9') || in_range(type[0], 'A', 'Z') || in_range(type[0], 'a', 'z');
    return type.size() == 2 &&
           ((type[0] == 'A' && in_range(type[1], 'A', 'Z')) || (type[0] == 'B' && in_range(type[1], 'A', 'H')));
}

bool is_set(const fix::Message& message, int tag) { return message.find(tag) == "Y"; }

std::string quoted_text(const fix::Message& message) {
    const auto text = message.find(tag::text);
    return text ? ": " + std::string{*text} : std::string{};
}

std::string seconds(std::chrono::nanoseconds duration) {
    return std::to_string(std::chrono::floor<std::chrono::seconds>(duration).count()) + " s";
}

} // namespace

void MessageStore::put(std::int64_t seq, std::string_view type, std::string_view body, Time sending_time) {
    const std::size_t slot = slot_of(seq);
    if (slot >= slots_.size()) slots_.resize(slot + 1);
    Sent& sent = slots_[slot];
    sent.seq = seq;
    sent.type.assign(type);
    sent.body.assign(body);
    sent.sending_time = sending_time;
}

const MessageStore::Sent* MessageStore::find(std::int64_t seq) const {
    const std::size_t slot = slot_of(seq);
    return slot < slots_.size() && slots_[slot].seq == seq ? &slots_[slot] : nullptr;
}

Session::Session(SessionConfig config, std::string peer_comp_id, Role role)
    : config_{std::move(config)}, peer_{std::move(peer_comp_id)}, role_{role}, store_{config_.stored_messages} {}

void Session::connected(Time now, std::int64_t heartbeat_s, bool reset) {
    enter(State::logon_awaited, now);
    reason_.clear();
    last_in_ = now;
    if (role_ == Role::acceptor) return;
    heartbeat_ = std::chrono::seconds{heartbeat_s};
    reset_asked_ = reset;
    if (reset) reset_sequences();
    send_logon(reset, now);
}

void Session::connection_lost() {
    if (state_ != State::closing && state_ != State::logout_answered) reason_ = "connection lost";
    state_ = State::offline;
    output_.clear();
    resend_bytes_ = 0;
    gap_until_ = 0;
    test_request_sent_.reset();
    garbled_before_ = false;
}

Session::Event Session::on_message(const fix::Message& message, Time now) {
    if (state_ != State::logon_awaited && !is_logged_on()) return Event::none;
    const std::string_view type = message.type();
    const auto seq = fix::parse_integer(message.find(tag::msg_seq_num).value_or(""));
    if (message.find(tag::begin_string) != fix::begin_string)
        return fail("BeginString is not FIX.4.4", now), Event::none;
    if (state_ == State::logon_awaited && type != logon_type) {
        const bool refused = role_ == Role::initiator && type == logout_type;
        return disconnect(refused ? "Logon refused" + quoted_text(message) : "first message is not a Logon"),
               Event::none;
    }
    if (!seq || *seq < 1) return fail("MsgSeqNum is missing or not a number", now), Event::none;
    last_in_ = now;
    test_request_sent_.reset();
    garbled_before_ = false;
    const bool new_start = type == logon_type && role_ == Role::acceptor && is_set(message, tag::reset_seq_num_flag);
    if (state_ == State::logon_awaited || new_start) return on_logon(message, *seq, now);

    if (const auto error = check_header(message, now)) {
        if (*seq == next_in_) ++next_in_;
        reject(message, *error, now);
        const bool fatal = error->reason == reason::comp_id_problem || error->reason == reason::sending_time_problem;
        if (fatal) fail(error->text, now);
        return Event::none;
    }
    if (type == sequence_reset_type && !is_set(message, tag::gap_fill_flag)) {
        on_sequence_reset(message, *seq, false, now); // its own number does not count: it repairs numbers
        return Event::none;
    }
    if (!admit_sequence(message, *seq, now)) return Event::none;
    return dispatch(message, *seq, now);
}

Session::Event Session::on_logon(const fix::Message& message, std::int64_t seq, Time now) {
    fix::FieldReader in{message};
    const std::int64_t encrypt = in.integer(tag::encrypt_method);
    const std::int64_t heartbeat = in.integer(tag::heart_bt_int);
    const bool reset = in.flag(tag::reset_seq_num_flag);
    auto error = check_header(message, now);
    const auto require = [&](bool good, int tag, const char* text) {
        if (!good && !error) error = fix::FieldError{tag, reason::value_out_of_range, text};
    };
    if (!error) error = in.error();
    require(encrypt == 0, tag::encrypt_method, "EncryptMethod is not 0");
    require(heartbeat >= config_.min_heartbeat_s && heartbeat <= config_.max_heartbeat_s, tag::heart_bt_int,
            "HeartBtInt is outside the limits");
    require(!reset || seq == 1, tag::msg_seq_num, "ResetSeqNumFlag with a MsgSeqNum other than 1");
    require(!reset || role_ == Role::acceptor || reset_asked_, tag::reset_seq_num_flag, "unasked ResetSeqNumFlag");
    if (error) {
        if (seq == next_in_) ++next_in_;
        fail("Logon refused: " + std::string{error->text} + ", tag " + std::to_string(error->tag), now);
        return Event::none;
    }
    if (reset && role_ == Role::acceptor) reset_sequences();
    if (seq < next_in_) {
        (void)admit_sequence(message, seq, now);
        return Event::none;
    }
    heartbeat_ = std::chrono::seconds{heartbeat};
    if (role_ == Role::acceptor) send_logon(reset, now);
    enter(State::active, now);
    if (seq == next_in_)
        ++next_in_;
    else
        request_resend(seq, now);
    return Event::logged_on;
}

std::optional<fix::FieldError> Session::check_header(const fix::Message& message, Time now) const {
    if (message.find(tag::sender_comp_id) != peer_)
        return fix::FieldError{tag::sender_comp_id, reason::comp_id_problem, "SenderCompID is wrong"};
    if (message.find(tag::target_comp_id) != config_.comp_id)
        return fix::FieldError{tag::target_comp_id, reason::comp_id_problem, "TargetCompID is wrong"};
    fix::FieldReader in{message};
    const Time sent = in.time(tag::sending_time);
    const bool again = in.flag(tag::poss_dup_flag);
    const Time original = again ? in.time(tag::orig_sending_time) : sent;
    if (in.error() && !message.error()) return in.error();
    if (in.error()) return std::nullopt; // a fault of the message itself is rejected once its number was counted
    if (std::chrono::abs(now - sent) > config_.max_clock_skew)
        return fix::FieldError{tag::sending_time, reason::sending_time_problem, "SendingTime is far from our time"};
    if (original > sent)
        return fix::FieldError{tag::orig_sending_time, reason::sending_time_problem,
                               "OrigSendingTime after SendingTime"};
    return std::nullopt;
}

/// True: the message is the expected one, and counted.
bool Session::admit_sequence(const fix::Message& message, std::int64_t seq, Time now) {
    if (seq == next_in_) {
        ++next_in_;
        return true;
    }
    if (seq < next_in_) {
        if (!is_set(message, tag::poss_dup_flag))
            fail("MsgSeqNum too low, expecting " + std::to_string(next_in_) + " but received " + std::to_string(seq),
                 now);
        return false;
    }
    // What came too early is not kept: it is part of what the peer is asked to send again. Two types cannot wait for
    // that: both sides might otherwise wait for each other's resend, or for a peer that has already said goodbye.
    if (message.type() == logout_type) return on_logout(message, now), false;
    if (message.type() == resend_request_type) on_resend_request(message, now);
    request_resend(seq, now);
    return false;
}

Session::Event Session::dispatch(const fix::Message& message, std::int64_t seq, Time now) {
    const std::string_view type = message.type();
    if (message.error()) {
        reject(message, *message.error(), now);
    } else if (type == test_request_type) {
        fix::FieldReader in{message};
        const std::string_view id = in.text(tag::test_req_id);
        if (in.error()) return reject(message, *in.error(), now), Event::none;
        compose().add(tag::test_req_id, id);
        send_admin(heartbeat_type, now);
    } else if (type == resend_request_type) {
        on_resend_request(message, now);
    } else if (type == sequence_reset_type) {
        on_sequence_reset(message, seq, true, now);
    } else if (type == reject_type) {
        log("peer rejected message " + std::string{message.find(tag::ref_seq_num).value_or("?")} +
            quoted_text(message));
    } else if (type == logout_type) {
        on_logout(message, now);
    } else if (type == logon_type) {
        reject(message, {0, reason::other, "already logged on"}, now);
    } else if (!is_fix44_type(type)) {
        reject(message, {tag::msg_type, reason::invalid_msg_type, "MsgType is not one of FIX 4.4"}, now);
    } else if (type != heartbeat_type) {
        return Event::application;
    }
    return Event::none;
}

void Session::on_sequence_reset(const fix::Message& message, std::int64_t seq, bool gap_fill, Time now) {
    fix::FieldReader in{message};
    const std::int64_t next = in.integer(tag::new_seq_no);
    if (in.error()) return reject(message, *in.error(), now);
    if (gap_fill ? next <= seq : next < next_in_)
        return reject(message, {tag::new_seq_no, reason::value_out_of_range, "NewSeqNo goes backwards"}, now);
    next_in_ = next;
}

void Session::on_logout(const fix::Message& message, Time now) {
    if (state_ == State::logout_sent) return disconnect("logged out");
    (void)compose();
    send_admin(logout_type, now);
    enter(State::logout_answered, now);
    reason_ = "peer logged out" + quoted_text(message);
}

void Session::on_resend_request(const fix::Message& message, Time now) {
    fix::FieldReader in{message};
    const std::int64_t begin = in.integer(tag::begin_seq_no);
    const std::int64_t asked_end = in.integer(tag::end_seq_no);
    if (in.error()) return reject(message, *in.error(), now);
    const std::int64_t end = asked_end == 0 ? next_out_ - 1 : std::min(asked_end, next_out_ - 1);
    if (begin < 1 || begin >= next_out_)
        return reject(message, {tag::begin_seq_no, reason::value_out_of_range, "BeginSeqNo was never sent"}, now);
    if (begin > end)
        return reject(message, {tag::end_seq_no, reason::value_out_of_range, "EndSeqNo is before BeginSeqNo"}, now);
    if (output_.size() > config_.max_unsent_bytes) return disconnect("slow reader: resend asked for, the last unread");
    resend(begin, end, now);
}

void Session::resend(std::int64_t begin, std::int64_t end, Time now) {
    resend_bytes_ = SIZE_MAX - config_.max_unsent_bytes; // bounded by the store, and one at a time
    const std::int64_t oldest = next_out_ - static_cast<std::int64_t>(config_.stored_messages);
    for (std::int64_t seq = begin; seq <= end;) {
        if (const MessageStore::Sent* sent = store_.find(seq)) {
            transmit(sent->type, seq++, sent->body, now, sent->sending_time);
            continue;
        }
        const std::int64_t gap = seq++;
        seq = std::max(seq, std::min(oldest, end + 1));
        while (seq <= end && store_.find(seq) == nullptr) ++seq;
        compose().add(tag::gap_fill_flag, 'Y').add(tag::new_seq_no, seq);
        transmit(sequence_reset_type, gap, body_.text(), now, now);
    }
    resend_bytes_ = output_.size();
}

/// `seen` is a number above the expected one.
void Session::request_resend(std::int64_t seen, Time now) {
    const bool already_asked = gap_until_ >= next_in_;
    gap_until_ = std::max(gap_until_, seen);
    if (already_asked) return;
    log("messages " + std::to_string(next_in_) + " to " + std::to_string(seen - 1) +
        " are missing, asking for a resend");
    compose().add(tag::begin_seq_no, next_in_).add(tag::end_seq_no, 0);
    send_admin(resend_request_type, now);
    gap_asked_ = now;
}

void Session::on_garbled(std::string_view why) {
    if (!garbled_before_) log("ignoring garbled input: " + std::string{why}); // once in a row: garbage may be endless
    garbled_before_ = true;
}

void Session::on_tick(Time now) {
    const auto in_state = now - state_since_;
    if (state_ == State::logon_awaited && in_state >= config_.logon_timeout)
        disconnect("no Logon in " + seconds(in_state));
    if (state_ == State::logout_sent && in_state >= config_.logout_timeout)
        disconnect("Logout unanswered for " + seconds(in_state));
    if (state_ == State::logout_answered && in_state >= config_.logout_timeout) disconnect(reason_);
    if (state_ != State::active) return;
    const auto silence = now - last_in_;
    if (!test_request_sent_ && silence * 5 >= heartbeat_ * 6) {
        compose().add(tag::test_req_id, "TEST-" + std::to_string(next_out_));
        send_admin(test_request_type, now);
        test_request_sent_ = now;
    } else if (test_request_sent_ && silence >= heartbeat_ * 2 && (now - *test_request_sent_) * 5 >= heartbeat_ * 4) {
        return disconnect("silent for " + seconds(silence) + ", TestRequest unanswered"); // not when only we were late
    }
    if (now - last_out_ >= heartbeat_) {
        (void)compose();
        send_admin(heartbeat_type, now);
    }
    if (gap_until_ >= next_in_ && now - gap_asked_ >= heartbeat_) {
        const std::int64_t seen = gap_until_;
        gap_until_ = 0;
        request_resend(seen, now);
    }
}

fix::Fields& Session::compose() {
    body_.clear();
    return body_;
}

void Session::send(std::string_view msg_type, Time now) {
    const std::int64_t seq = next_out_++;
    store_.put(seq, msg_type, body_.text(), now);
    if (is_logged_on()) transmit(msg_type, seq, body_.text(), now);
}

void Session::reject(const fix::Message& message, const fix::FieldError& error, Time now) {
    log("rejecting a message: " + std::string{error.text} + ", tag " + std::to_string(error.tag));
    compose().add(tag::ref_seq_num, message.find(tag::msg_seq_num).value_or("0"));
    if (error.tag != 0) body_.add(tag::ref_tag_id, error.tag);
    if (!message.type().empty()) body_.add(tag::ref_msg_type, message.type());
    body_.add(tag::session_reject_reason, error.reason).add(tag::text, error.text);
    send_admin(reject_type, now);
}

void Session::logout(std::string_view text, Time now) {
    if (state_ == State::logon_awaited) return disconnect(std::string{text});
    if (state_ != State::active) return;
    compose().add(tag::text, text);
    send_admin(logout_type, now);
    enter(State::logout_sent, now);
}

void Session::disconnect(std::string reason) {
    if (state_ == State::offline || state_ == State::closing) return;
    state_ = State::closing;
    reason_ = std::move(reason);
    log("disconnecting: " + reason_);
    if (on_output_) on_output_();
}

bool Session::take_output(std::string& into) {
    into.append(output_);
    const bool any = !output_.empty();
    output_.clear();
    resend_bytes_ = 0;
    return any;
}

void Session::send_logon(bool reset, Time now) {
    compose().add(tag::encrypt_method, 0).add(tag::heart_bt_int, heartbeat_.count());
    if (reset) body_.add(tag::reset_seq_num_flag, 'Y');
    send_admin(logon_type, now);
}

void Session::send_admin(std::string_view msg_type, Time now) {
    if (state_ != State::closing) transmit(msg_type, next_out_++, body_.text(), now);
}

void Session::fail(std::string reason, Time now) {
    compose().add(tag::text, reason);
    send_admin(logout_type, now);
    disconnect(std::move(reason));
}

void Session::transmit(std::string_view msg_type, std::int64_t seq, std::string_view body, Time now,
                       std::optional<Time> original) {
    if (state_ == State::closing) return;
    head_.clear();
    head_.add(tag::msg_type, msg_type).add(tag::sender_comp_id, config_.comp_id).add(tag::target_comp_id, peer_);
    head_.add(tag::msg_seq_num, seq).add(tag::sending_time, now);
    if (original) head_.add(tag::poss_dup_flag, 'Y').add(tag::orig_sending_time, *original);
    fix::append_message(output_, head_.text(), body);
    last_out_ = now;
    if (output_.size() > resend_bytes_ + config_.max_unsent_bytes) {
        const std::size_t unread = output_.size();
        output_.clear(); // it would only delay the end; the peer asks again for what it missed
        return disconnect("slow reader: " + std::to_string(unread) + " bytes unread");
    }
    if (on_output_) on_output_();
}

void Session::reset_sequences() {
    next_in_ = next_out_ = 1;
    gap_until_ = 0;
    store_.clear();
}

void Session::log(const std::string& text) const {
    if (log_) log_(text);
}

void Session::enter(State state, Time now) {
    state_ = state;
    state_since_ = now;
}

Session& Sessions::add(std::string comp_id) {
    return *all_.emplace_back(std::make_unique<Session>(config_, std::move(comp_id)));
}

Session* Sessions::find(std::string_view comp_id) const {
    const auto found = std::ranges::find(
        all_, comp_id, [](const auto& session) -> const auto& { return session->peer(); });
    return found == all_.end() ? nullptr : found->get();
}

Sessions::Admission Sessions::admit(const fix::Message& first) const {
    if (first.type() != logon_type) return {nullptr, "first message is not a Logon"};
    if (first.find(tag::target_comp_id) != config_.comp_id) return {nullptr, "TargetCompID is not ours"};
    Session* session = find(first.find(tag::sender_comp_id).value_or(""));
    if (session == nullptr) return {nullptr, "SenderCompID is unknown"};
    if (session->is_connected()) return {nullptr, "SenderCompID is already connected"};
    return {session, ""};
}

} // namespace exchange
