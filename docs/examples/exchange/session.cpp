// The FIX 4.4 session layer; see session.hpp.
#include "session.hpp"
#include <algorithm>
namespace exchange {
namespace {
namespace tag = fix::tag;
namespace reason = fix::reason;
constexpr std::string_view heartbeat_type = "0", test_request_type = "1", resend_request_type = "2", reject_type = "3",
                           sequence_reset_type = "4", logout_type = "5", logon_type = "A";
constexpr std::int64_t last_seq = 1'000'000'000'000; // beyond it a peer could make the counters overflow

/// Types of FIX 4.4 are one letter or digit, or AA to BH.
bool is_fix44_type(std::string_view type) {
    const auto is_upper = [](char c) { return c >= 'A' && c <= 'Z'; };
    const auto is_other = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
    if (type.size() == 1) return is_upper(type[0]) || is_other(type[0]);
    return type.size() == 2 && type >= "AA" && type <= "BH" && is_upper(type[1]);
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
Session::Session(SessionConfig config, std::string peer_comp_id, Role role)
    : config_{std::move(config)}, peer_{std::move(peer_comp_id)}, role_{role} {}
void Session::connected(Time now, std::int64_t heartbeat_s, bool reset) {
    enter(State::logon_awaited, now);
    reason_.clear();
    garbled_before_ = false;
    if (role_ == Role::acceptor) return;
    heartbeat_ = std::chrono::seconds{heartbeat_s};
    reset_asked_ = reset;
    if (reset) next_in_ = next_out_ = 1, sent_.clear();
    send_logon(reset, now);
}

void Session::connection_lost() {
    if (state_ != State::closing && state_ != State::logout_answered) reason_ = "connection lost";
    state_ = State::offline;
    output_.clear();
    resend_bytes_ = 0;
    gap_until_ = 0;
}

Session::Event Session::on_message(const fix::Message& message, Time now) {
    if (state_ != State::logon_awaited && !is_logged_on()) return Event::none;
    const std::string_view type = message.type();
    const std::int64_t seq = fix::parse_integer(message.find(tag::msg_seq_num).value_or("")).value_or(0);
    if (message.find(tag::begin_string) != fix::begin_string) return fail("BeginString is not FIX.4.4", now);
    if (state_ == State::logon_awaited && type != logon_type) {
        const bool refused = role_ == Role::initiator && type == logout_type;
        disconnect(refused ? "Logon refused" + quoted_text(message) : "first message is not a Logon");
        return Event::none;
    }
    if (seq < 1) return fail("MsgSeqNum is missing or not a number", now);
    last_in_ = now;
    test_request_sent_.reset();
    garbled_before_ = false;
    const bool new_start = type == logon_type && role_ == Role::acceptor && is_set(message, tag::reset_seq_num_flag);
    if (state_ == State::logon_awaited || new_start) return on_logon(message, seq, now);
    if (const auto error = check_header(message, now)) {
        if (seq == next_in_) ++next_in_;
        reject(message, *error, now);
        const bool fatal = error->reason == reason::comp_id_problem || error->reason == reason::sending_time_problem;
        return fatal ? fail(error->text, now) : Event::none;
    }
    if (type == sequence_reset_type && !is_set(message, tag::gap_fill_flag)) // its own number does not count
        return on_sequence_reset(message, seq, false, now), Event::none;
    if (seq == next_in_) return ++next_in_, dispatch(message, seq, now);
    if (seq < next_in_) return is_set(message, tag::poss_dup_flag) ? Event::none : fail_too_low(seq, now);
    // What came too early is not kept: it is part of what the peer is asked to send again. Two types cannot wait for
    // that: both sides might otherwise wait for each other's resend, or for a peer that has already said goodbye.
    if (type == resend_request_type) on_resend_request(message, now);
    type == logout_type ? on_logout(message, now) : request_resend(seq, now);
    return Event::none;
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
        return fail("Logon refused: " + std::string{error->text} + ", tag " + std::to_string(error->tag), now);
    }
    if (reset && role_ == Role::acceptor) next_in_ = next_out_ = 1, gap_until_ = 0, sent_.clear();
    if (seq < next_in_) return is_set(message, tag::poss_dup_flag) ? Event::none : fail_too_low(seq, now);
    heartbeat_ = std::chrono::seconds{heartbeat};
    if (role_ == Role::acceptor) send_logon(reset, now);
    enter(State::active, now);
    if (seq > next_in_) request_resend(seq, now);
    if (seq == next_in_) ++next_in_;
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
        return fix::FieldError{tag::orig_sending_time, reason::sending_time_problem, "original time after SendingTime"};
    return std::nullopt;
}

/// Acts on a message in sequence.
Session::Event Session::dispatch(const fix::Message& message, std::int64_t seq, Time now) {
    const std::string_view type = message.type();
    const auto refuse = [&](int tag, int why, const char* text) { reject(message, {tag, why, text}, now); };
    if (message.error()) return reject(message, *message.error(), now), Event::none;
    if (!is_fix44_type(type))
        return refuse(tag::msg_type, reason::invalid_msg_type, "not a type of FIX 4.4"), Event::none;
    switch (type.size() == 1 ? type[0] : ' ') {
    case heartbeat_type[0]: break;
    case test_request_type[0]: on_test_request(message, now); break;
    case resend_request_type[0]: on_resend_request(message, now); break;
    case reject_type[0]: log("peer rejected a message" + quoted_text(message)); break;
    case sequence_reset_type[0]: on_sequence_reset(message, seq, true, now); break;
    case logout_type[0]: on_logout(message, now); break;
    case logon_type[0]: refuse(0, reason::other, "already logged on"); break;
    default: return Event::application;
    }
    return Event::none;
}

void Session::on_test_request(const fix::Message& message, Time now) {
    fix::FieldReader in{message};
    const std::string_view id = in.text(tag::test_req_id);
    if (in.error()) return reject(message, *in.error(), now);
    compose().add(tag::test_req_id, id);
    send_admin(heartbeat_type, now);
}

void Session::on_sequence_reset(const fix::Message& message, std::int64_t seq, bool gap_fill, Time now) {
    fix::FieldReader in{message};
    const std::int64_t next = in.integer(tag::new_seq_no);
    if (in.error()) return reject(message, *in.error(), now);
    if ((gap_fill ? next <= seq : next < next_in_) || next > last_seq)
        return reject(message, {tag::new_seq_no, reason::value_out_of_range, "NewSeqNo is out of range"}, now);
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
    std::int64_t oldest = next_out_;
    for (const Sent& sent : sent_)
        if (sent.seq > 0) oldest = std::min(oldest, sent.seq);
    for (std::int64_t seq = begin; seq <= end;) {
        if (const Sent* sent = find_sent(seq)) {
            transmit(sent->type, seq++, sent->body, now, sent->sending_time);
            continue;
        }
        const std::int64_t gap = seq++;
        seq = std::max(seq, std::min(oldest, end + 1));
        while (seq <= end && find_sent(seq) == nullptr) ++seq;
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
    log("asking for a resend of " + std::to_string(next_in_) + " to " + std::to_string(seen - 1));
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
    if (!test_request_sent_ && silence >= heartbeat_ * 1.2) {
        compose().add(tag::test_req_id, "TEST-" + std::to_string(next_out_));
        send_admin(test_request_type, now);
        test_request_sent_ = now;
    } else if (test_request_sent_ && now - *test_request_sent_ >= heartbeat_ * 0.8) { // two intervals in all
        return disconnect("silent for " + seconds(silence) + ", TestRequest unanswered");
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

void Session::send(std::string_view msg_type, Time now) {
    const std::int64_t seq = next_out_++;
    const std::size_t slot = static_cast<std::size_t>(seq) % config_.stored_messages;
    if (slot >= sent_.size()) sent_.resize(slot + 1);
    Sent& sent = sent_[slot];
    sent.seq = seq;
    sent.type = msg_type;
    sent.body = body_.text();
    sent.sending_time = now;
    if (is_logged_on()) transmit(msg_type, seq, body_.text(), now);
}

/// Null when it was no application message or is too old.
const Session::Sent* Session::find_sent(std::int64_t seq) const {
    const std::size_t slot = static_cast<std::size_t>(seq) % config_.stored_messages;
    return slot < sent_.size() && sent_[slot].seq == seq ? &sent_[slot] : nullptr;
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

Session::Event Session::fail(std::string reason, Time now) {
    compose().add(tag::text, reason);
    send_admin(logout_type, now);
    disconnect(std::move(reason));
    return Event::none;
}

Session::Event Session::fail_too_low(std::int64_t seq, Time now) {
    return fail("MsgSeqNum too low, expecting " + std::to_string(next_in_) + " but received " + std::to_string(seq),
                now);
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
