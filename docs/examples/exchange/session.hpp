// The FIX 4.4 session layer as a state machine: messages and times go in, bytes to send and decisions come out.
// A Session belongs to a counterparty, not to a connection: sequence numbers and sent messages survive a reconnect.
// It does no I/O and reads no clock, so that the same calls always give the same bytes. Whoever owns the connection
// feeds it, writes out what take_output() hands over, and closes the connection once wants_disconnect() is true.
// Invariants: an outgoing sequence number is used once; only a message with the expected incoming number, or one in a
// gap that was filled, reaches the application, and each one once.
#pragma once
#include "fix_message.hpp"
#include <functional>
#include <memory>

namespace exchange {
struct SessionConfig {
    std::string comp_id = "NEXUS";
    std::int64_t min_heartbeat_s = 1, max_heartbeat_s = 60;
    std::chrono::milliseconds logon_timeout{10'000};
    std::chrono::milliseconds logout_timeout{5'000};
    std::chrono::milliseconds max_clock_skew{120'000}; ///< of SendingTime
    std::size_t max_unsent_bytes = 1 << 20;            ///< a slower reader is disconnected
    std::size_t stored_messages = 16'384;              ///< for resends; what is older is gap-filled
};

class Session {
public:
    enum class Role { acceptor, initiator };
    /// What a message means for the application.
    enum class Event { none, logged_on, application };
    Session(SessionConfig config, std::string peer_comp_id, Role role = Role::acceptor);
    /// A connection was made. An initiator sends its Logon, an acceptor waits for one.
    void connected(Time now, std::int64_t heartbeat_s = 30, bool reset = false);
    /// The connection is gone, whoever closed it. Unsent bytes are dropped; the peer asks for them when it is back.
    void connection_lost();
    /// Event::application: the message is in sequence and the application's to answer, with send() or reject().
    Event on_message(const fix::Message& message, Time now);
    /// Garbled input is logged and otherwise ignored: it is not counted in the sequence and is no sign of life.
    void on_garbled(std::string_view why);
    /// Heartbeats and time limits. To be called a few times a second.
    void on_tick(Time now);
    /// Cleared fields to fill with an application message's body; then call send().
    [[nodiscard]] fix::Fields& compose() { return body_.clear(), body_; }
    /// Sends what compose() holds. Without a connection it is kept, to be resent after the next Logon.
    void send(std::string_view msg_type, Time now);
    /// The same for what is soon out of date: it is not kept, and a resend leaves it out.
    void send_unkept(std::string_view msg_type, Time now) {
        if (is_logged_on()) send_admin(msg_type, now);
    }
    void reject(const fix::Message& message, const fix::FieldError& error, Time now); ///< session-level (35=3)
    /// Starts a Logout; the connection ends with the answer or with the time limit.
    void logout(std::string_view text, Time now);
    /// Ends the connection at once, without a Logout.
    void disconnect(std::string reason);
    /// Appends the bytes to send to `into` and returns whether there were any.
    bool take_output(std::string& into);
    [[nodiscard]] std::size_t unsent_bytes() const { return output_.size(); }
    /// Called whenever there is output, or a reason to disconnect, that was not there before.
    void set_output_hook(std::function<void()> hook) { on_output_ = std::move(hook); }
    void set_log(std::function<void(std::string_view)> log) { log_ = std::move(log); }
    /// True: write the rest of the output, then close the connection.
    [[nodiscard]] bool wants_disconnect() const { return state_ == State::closing; }
    [[nodiscard]] const std::string& reason() const { return reason_; } ///< why the last connection was ended
    [[nodiscard]] bool is_connected() const { return state_ != State::offline; }
    [[nodiscard]] bool is_logged_on() const { return state_ == State::active || state_ == State::logout_sent; }
    [[nodiscard]] const std::string& peer() const { return peer_; }
    [[nodiscard]] std::int64_t next_in() const { return next_in_; }
    [[nodiscard]] std::int64_t next_out() const { return next_out_; }

private:
    struct Sent { // an application message, kept for resends
        std::int64_t seq = 0;
        std::string type, body;
        Time sending_time;
    };
    enum class State { offline, logon_awaited, active, logout_sent, logout_answered, closing };
    Event on_logon(const fix::Message& message, std::int64_t seq, Time now);
    std::optional<fix::FieldError> check_header(const fix::Message& message, Time now) const;
    Event dispatch(const fix::Message& message, std::int64_t seq, Time now);
    void on_sequence_reset(const fix::Message& message, std::int64_t seq, bool gap_fill, Time now);
    void on_test_request(const fix::Message& message, Time now);
    void on_logout(const fix::Message& message, Time now);
    void on_resend_request(const fix::Message& message, Time now);
    void resend(std::int64_t begin, std::int64_t end, Time now);
    void request_resend(std::int64_t seen, Time now);
    void send_logon(bool reset, Time now);
    void send_admin(std::string_view msg_type, Time now) {
        if (state_ != State::closing) transmit(msg_type, next_out_++, body_.text(), now);
    }
    Event fail(std::string reason, Time now);
    Event fail_too_low(std::int64_t seq, Time now);
    void transmit(std::string_view msg_type, std::int64_t seq, std::string_view body, Time now,
                  std::optional<Time> original = std::nullopt);
    [[nodiscard]] const Sent* find_sent(std::int64_t seq) const;
    void log(const std::string& text) const { log_ ? log_(text) : void(); }
    void enter(State state, Time now) { state_ = state, state_since_ = now; }
    SessionConfig config_;
    std::string peer_;
    Role role_;
    State state_ = State::offline;
    std::int64_t next_in_ = 1, next_out_ = 1;
    std::vector<Sent> sent_; // by seq modulo stored_messages; grows up to it, then buffers are used again
    // Of the present connection.
    std::chrono::seconds heartbeat_{30};
    bool reset_asked_ = false, garbled_before_ = false;
    std::optional<Time> test_request_sent_;
    std::int64_t gap_until_ = 0; // a resend was asked for that fills the gap up to here
    Time gap_asked_, last_in_, last_out_, state_since_;
    std::string reason_, output_;
    std::size_t resend_bytes_ = 0; // output that an answered ResendRequest may hold beyond the limit
    fix::Fields head_, body_;
    std::function<void()> on_output_;
    std::function<void(std::string_view)> log_;
};

/// All counterparties of a server, by CompID. Sessions keep their address for good.
class Sessions {
public:
    explicit Sessions(SessionConfig config) : config_{std::move(config)} {}
    Session& add(std::string id) { return *all_.emplace_back(std::make_unique<Session>(config_, std::move(id))); }
    [[nodiscard]] Session* find(std::string_view comp_id) const;
    [[nodiscard]] const std::vector<std::unique_ptr<Session>>& all() const { return all_; }
    struct Admission {
        Session* session = nullptr;
        const char* refusal = ""; ///< why there is no session: close the connection without an answer
    };
    /// Finds the session for a connection's first message, which must be a Logon to us from a known peer who has no
    /// other connection. The message is then to be given to the session.
    [[nodiscard]] Admission admit(const fix::Message& first) const;

private:
    SessionConfig config_;
    std::vector<std::unique_ptr<Session>> all_;
};
} // namespace exchange
