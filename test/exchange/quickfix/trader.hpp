// A QuickFIX client that remembers every message, both ways, and lets a test wait for one. Its callbacks come on
// QuickFIX's thread, so the record is behind a mutex.
#pragma once

#include <quickfix/Application.h>
#include <quickfix/MessageStore.h>
#include <quickfix/Session.h>
#include <quickfix/SessionSettings.h>
#include <quickfix/SocketInitiator.h>
#include <quickfix/fix44/NewOrderSingle.h>
#include <quickfix/fix44/OrderCancelRequest.h>

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <sstream>
#include <string>
#include <vector>

namespace exchange {
namespace test {

/// The value of a field, "" when the message has none.
inline std::string value(const FIX::Message& message, int tag) {
    if (message.isSetField(tag)) return message.getField(tag);
    return message.getHeader().isSetField(tag) ? message.getHeader().getField(tag) : "";
}

class Trader : public FIX::Application {
public:
    /// Begins to connect at once, and again every second when the connection is lost.
    Trader(const std::string& name, int port, const std::string& further_settings = "")
        : id_("FIX.4.4", name, "NEXUS") {
        std::stringstream text;
        text << "[DEFAULT]\nConnectionType=initiator\nReconnectInterval=1\nHeartBtInt=30\nSocketNodelay=Y\n"
             << "StartTime=00:00:00\nEndTime=00:00:00\nUseDataDictionary=N\nSocketConnectHost=127.0.0.1\n"
             << "SocketConnectPort=" << port << "\n"
             << further_settings << "[SESSION]\nBeginString=FIX.4.4\nSenderCompID=" << name << "\nTargetCompID=NEXUS\n";
        settings_ = std::make_unique<FIX::SessionSettings>(text);
        initiator_ = std::make_unique<FIX::SocketInitiator>(*this, store_, *settings_);
        initiator_->start();
    }
    ~Trader() override { initiator_->stop(true); }

    bool is_logged_on() { return FIX::Session::lookupSession(id_)->isLoggedOn(); }
    /// Says goodbye; QuickFIX waits for the answer.
    void log_out() { initiator_->stop(); }

    void limit(const std::string& id, char side, double quantity, double price, char time_in_force = '0',
               const std::string& symbol = "ACME") {
        FIX44::NewOrderSingle order = new_order(id, side, quantity, '2', symbol);
        order.set(FIX::Price(price));
        order.set(FIX::TimeInForce(time_in_force));
        send(order);
    }
    void market(const std::string& id, char side, double quantity) {
        FIX44::NewOrderSingle order = new_order(id, side, quantity, '1', "ACME");
        send(order);
    }
    void cancel(const std::string& id, const std::string& original, char side) {
        FIX44::OrderCancelRequest request{FIX::OrigClOrdID(original), FIX::ClOrdID(id), FIX::Side(side),
                                          FIX::TransactTime()};
        request.set(FIX::Symbol("ACME"));
        send(request);
    }
    void send(FIX::Message& message) { FIX::Session::sendToTarget(message, id_); }

    /// The next message received, from the last one taken on, that is of this type and has this ClOrdID ("" for any);
    /// those before it are skipped. An empty message when none comes in time.
    FIX::Message take(const std::string& type, const std::string& cl_ord_id = "") {
        std::unique_lock<std::mutex> lock(mutex_);
        const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
        do {
            for (; taken_ < received_.size(); ++taken_) {
                const FIX::Message& message = received_[taken_];
                if (value(message, 35) != type) continue;
                if (cl_ord_id.empty() || value(message, 11) == cl_ord_id) return received_[taken_++];
            }
        } while (news_.wait_until(lock, end) == std::cv_status::no_timeout);
        return {};
    }

    std::vector<FIX::Message> received() { return copy(received_); }
    std::vector<FIX::Message> sent() { return copy(sent_); }

    void onCreate(const FIX::SessionID&) override {}
    void onLogon(const FIX::SessionID&) override {}
    void onLogout(const FIX::SessionID&) override {}
    void toAdmin(FIX::Message& message, const FIX::SessionID&) override { record(sent_, message); }
    void toApp(FIX::Message& message, const FIX::SessionID&) throw(FIX::DoNotSend) override { record(sent_, message); }
    void fromAdmin(const FIX::Message& message,
                   const FIX::SessionID&) throw(FIX::FieldNotFound, FIX::IncorrectDataFormat, FIX::IncorrectTagValue,
                                                FIX::RejectLogon) override {
        record(received_, message);
    }
    void fromApp(const FIX::Message& message, const FIX::SessionID&) throw(FIX::FieldNotFound, FIX::IncorrectDataFormat,
                                                                           FIX::IncorrectTagValue,
                                                                           FIX::UnsupportedMessageType) override {
        record(received_, message);
    }

private:
    static FIX44::NewOrderSingle new_order(const std::string& id, char side, double quantity, char type,
                                           const std::string& symbol) {
        FIX44::NewOrderSingle order{FIX::ClOrdID(id), FIX::Side(side), FIX::TransactTime(), FIX::OrdType(type)};
        order.set(FIX::Symbol(symbol));
        order.set(FIX::OrderQty(quantity));
        return order;
    }
    void record(std::vector<FIX::Message>& into, const FIX::Message& message) {
        const std::lock_guard<std::mutex> lock(mutex_);
        into.push_back(message);
        news_.notify_all();
    }
    std::vector<FIX::Message> copy(const std::vector<FIX::Message>& from) {
        const std::lock_guard<std::mutex> lock(mutex_);
        return from;
    }

    FIX::SessionID id_;
    FIX::MemoryStoreFactory store_;
    std::unique_ptr<FIX::SessionSettings> settings_;
    std::mutex mutex_;
    std::condition_variable news_;
    std::vector<FIX::Message> received_, sent_;
    std::size_t taken_ = 0;
    std::unique_ptr<FIX::SocketInitiator> initiator_; // last: its thread calls everything above
};

} // namespace test
} // namespace exchange
