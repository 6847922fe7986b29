// A QuickFIX client that remembers every message, both ways, and lets a test wait for one. QuickFIX itself checks what
// the exchange sends against fix44.xml and rejects what is not so. Its callbacks come on its own thread, so the record
// is behind a mutex.
#pragma once

#include "../exchange_process.hpp"

#include <quickfix/Application.h>
#include <quickfix/MessageStore.h>
#include <quickfix/Session.h>
#include <quickfix/SessionSettings.h>
#include <quickfix/SocketInitiator.h>
#include <quickfix/fix44/MarketDataRequest.h>
#include <quickfix/fix44/NewOrderSingle.h>
#include <quickfix/fix44/OrderCancelReplaceRequest.h>
#include <quickfix/fix44/OrderCancelRequest.h>
#include <quickfix/fix44/OrderStatusRequest.h>

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <sstream>
#include <string>
#include <vector>

namespace exchange {
namespace test {

inline std::string value(const FIX::FieldMap& fields, int tag) {
    return fields.isSetField(tag) ? fields.getField(tag) : "";
}
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
             << "StartTime=00:00:00\nEndTime=00:00:00\nSocketConnectHost=127.0.0.1\n"
             << "UseDataDictionary=Y\nDataDictionary=" << program_from("EXCHANGE_FIX_DICTIONARY") << "\n"
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
    void replace(const std::string& id, const std::string& original, char side, double quantity, double price) {
        FIX44::OrderCancelReplaceRequest request{FIX::OrigClOrdID(original), FIX::ClOrdID(id), FIX::Side(side),
                                                 FIX::TransactTime(), FIX::OrdType('2')};
        request.set(FIX::Symbol("ACME"));
        request.set(FIX::OrderQty(quantity));
        request.set(FIX::Price(price));
        send(request);
    }
    void ask_status(const std::string& id, char side) {
        FIX44::OrderStatusRequest request{FIX::ClOrdID(id), FIX::Side(side)};
        request.set(FIX::Symbol("ACME"));
        send(request);
    }
    /// Asks for both sides and the trades; `kind`: snapshot 0, subscribe 1, unsubscribe 2.
    void ask_market_data(const std::string& id, char kind, const std::string& symbol = "ACME", int depth = 0) {
        FIX44::MarketDataRequest request{FIX::MDReqID(id), FIX::SubscriptionRequestType(kind), FIX::MarketDepth(depth)};
        request.set(FIX::MDUpdateType(1));
        for (const char type : {'0', '1', '2'}) {
            FIX44::MarketDataRequest::NoMDEntryTypes group;
            group.set(FIX::MDEntryType(type));
            request.addGroup(group);
        }
        FIX44::MarketDataRequest::NoRelatedSym group;
        group.set(FIX::Symbol(symbol));
        request.addGroup(group);
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

    /// The entries of the next snapshot (W) or refresh (X): "0 1 100 5" is a new offer of 5 at 100.
    std::vector<std::string> take_entries(const std::string& type) {
        const FIX::Message message = take(type);
        std::vector<std::string> entries;
        for (int i = 1; i <= static_cast<int>(message.groupCount(FIX::FIELD::NoMDEntries)); ++i) {
            FIX::Group entry(FIX::FIELD::NoMDEntries,
                             type == "X" ? FIX::FIELD::MDUpdateAction : FIX::FIELD::MDEntryType);
            message.getGroup(static_cast<unsigned>(i), entry);
            entries.emplace_back(type == "X" ? value(entry, 279) + " " : "");
            entries.back() += value(entry, 269) + " " + value(entry, 270) + " " + value(entry, 271);
        }
        return entries;
    }

    std::vector<FIX::Message> received() const { return copy(received_); }
    std::vector<FIX::Message> sent() const { return copy(sent_); }

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
    std::vector<FIX::Message> copy(const std::vector<FIX::Message>& from) const {
        const std::lock_guard<std::mutex> lock(mutex_);
        return from;
    }

    FIX::SessionID id_;
    FIX::MemoryStoreFactory store_;
    std::unique_ptr<FIX::SessionSettings> settings_;
    mutable std::mutex mutex_;
    std::condition_variable news_;
    std::vector<FIX::Message> received_, sent_;
    std::size_t taken_ = 0;
    std::unique_ptr<FIX::SocketInitiator> initiator_; // last: its thread calls everything above
};

} // namespace test
} // namespace exchange
