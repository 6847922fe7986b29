// Boost.Asio and nexus in one program: use_fiber, AsioThread, AsioHost. Header-only; needs Boost.Asio's headers.
//
//     nexus::AsioThread asio;                          // an io_context beside the loop, on a thread of its own
//     tcp::socket socket(asio.context());              // in a fiber:
//     nexus::Result<std::size_t> n = socket.async_read_some(buffer, nexus::use_fiber);
//
//     boost::asio::io_context io;                                    // or the other way round: Asio owns the main
//     nexus::AsioHost host(runtime, io);
//     io.run();
//
// use_fiber suspends the fiber until the operation has completed on whatever thread runs the io_context. An I/O object
// still belongs to one thread of control at a time, as Asio says: initiate and let complete, one after the other.
#pragma once

#include "nexus/base/error.hpp"
#include "nexus/compat/detail/delivery.hpp"
#include "nexus/compat/detail/quiet_thread.hpp"
#include "nexus/runtime/runtime.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/system_executor.hpp>
#include <boost/system/error_code.hpp>

#include <chrono>
#include <exception>
#include <memory>
#include <thread>
#include <tuple>
#include <type_traits>
#include <utility>

namespace nexus {

/// The completion token. An operation that completes with (error_code, T) returns Result<T>; with (error_code) alone
/// Result<void>; with (error_code, A, B...) Result<std::tuple<A, B...>>; with an exception_ptr it throws; without
/// either it returns the values bare. Errors: the operation's own; errc::cancelled and errc::timed_out at the end of a
/// scope, errc::stopped when the io_context goes with the operation pending.
///
/// At the end of a scope or on abort the operation is cancelled through its cancellation slot, and the fiber goes on
/// when it has completed: buffers on its stack stay good, and a result that came first is returned. So the io_context
/// has to run; one that was stopped with operations pending keeps their fibers until it runs again or is destroyed.
struct UseFiber {};
inline constexpr UseFiber use_fiber{};

namespace detail {

template <class... Ts>
struct AsioValue {
    using type = std::tuple<Ts...>;
};
template <class T>
struct AsioValue<T> {
    using type = T;
};
template <>
struct AsioValue<> {
    using type = void;
};

/// What the handler and the fiber share. Lives on the fiber's stack until the handler has gone.
template <class... Ts>
struct AsioOperation {
    using Value = typename AsioValue<std::decay_t<Ts>...>::type;
    Delivery<Value> delivery;
    boost::system::error_code error;
    boost::asio::cancellation_signal signal;

    template <class... Us>
    void complete(Us&&... values) {
        if constexpr (sizeof...(Ts) == 0) {
            delivery.deliver({});
        } else {
            delivery.deliver(Value(std::forward<Us>(values)...));
        }
    }
};

/// The completion handler: unique; when it goes without a call the wait ends too.
template <class Operation>
class AsioHandlerBase {
public:
    explicit AsioHandlerBase(Operation& operation) noexcept : operation_(&operation) {}
    AsioHandlerBase(AsioHandlerBase&& other) noexcept : operation_(std::exchange(other.operation_, nullptr)) {}
    AsioHandlerBase& operator=(AsioHandlerBase&&) = delete;
    ~AsioHandlerBase() {
        if (operation_ != nullptr) operation_->delivery.drop();
    }

    using cancellation_slot_type = boost::asio::cancellation_slot;
    [[nodiscard]] cancellation_slot_type get_cancellation_slot() const noexcept { return operation_->signal.slot(); }

protected:
    [[nodiscard]] Operation& take() noexcept { return *std::exchange(operation_, nullptr); }

private:
    Operation* operation_;
};

/// Cancels the operation if it still pends, and waits for it: what it uses lies on this stack.
template <class Operation, class IoExecutor>
class AsioPending {
public:
    AsioPending(Operation& operation, IoExecutor io_executor, Executor& executor)
        : operation_(operation), io_executor_(std::move(io_executor)), executor_(executor), wait_(operation.delivery) {}
    AsioPending(const AsioPending&) = delete;
    AsioPending& operator=(const AsioPending&) = delete;
    ~AsioPending() {
        if (wait_.ready()) return;
        const Shield shield(executor_.current_task());
        Delivery<void> emitted;
        // The slot belongs to the thread that runs the operation.
        boost::asio::post(io_executor_, Emit{&operation_, &emitted});
        {
            DeliveryWait<void> emission(emitted);
            wait_or_throw(executor_, "the cancelled operation of Asio", [&] { return emission.ready(); });
        }
        wait_or_throw(executor_, "the cancelled operation of Asio", [&] { return wait_.ready(); });
    }
    [[nodiscard]] WaitEnd wait() {
        return wait_or_fail(executor_, "an operation of Asio", [&] { return wait_.ready(); });
    }

private:
    /// Runs on the thread of the io_context; says so when it has gone, run or not.
    class Emit {
    public:
        Emit(Operation* operation, Delivery<void>* emitted) noexcept : operation_(operation), emitted_(emitted) {}
        Emit(Emit&& other) noexcept : operation_(other.operation_), emitted_(std::exchange(other.emitted_, nullptr)) {}
        Emit& operator=(Emit&&) = delete;
        ~Emit() {
            if (emitted_ != nullptr) emitted_->drop();
        }
        void operator()() {
            if (operation_->delivery.settled() == Settled::no) {
                operation_->signal.emit(boost::asio::cancellation_type::terminal);
            }
        }

    private:
        Operation* operation_;
        Delivery<void>* emitted_;
    };

    Operation& operation_;
    IoExecutor io_executor_;
    Executor& executor_;
    DeliveryWait<typename Operation::Value> wait_;
};

/// Starts the operation and waits for its end. False when a scope ended before it started.
template <class Operation, class Handler, class Initiation, class... Args>
WaitEnd run_asio(Operation& operation, Initiation&& initiation, Args&&... args) {
    Executor& executor = Executor::of_current_fiber("an operation of Asio");
    if (const WaitEnd end = enter_wait(executor, "an operation of Asio"); end != WaitEnd::ready) return end;
    auto io_executor = boost::asio::get_associated_executor(initiation, boost::asio::system_executor());
    AsioPending<Operation, decltype(io_executor)> pending(operation, io_executor, executor);
    std::forward<Initiation>(initiation)(Handler(operation), std::forward<Args>(args)...);
    return pending.wait();
}

/// The completion handler for a signature, as `Complete` (below) reads its arguments.
template <class Operation, class Complete>
class AsioHandler : public AsioHandlerBase<Operation> {
public:
    using AsioHandlerBase<Operation>::AsioHandlerBase;
    template <class... Values>
    void operator()(Values&&... values) {
        Complete::apply(this->take(), std::forward<Values>(values)...);
    }
};

struct AsioCompleteBare {
    template <class Operation, class... Values>
    static void apply(Operation& operation, Values&&... values) {
        operation.complete(std::forward<Values>(values)...);
    }
};
struct AsioCompleteWithError {
    template <class Operation, class... Values>
    static void apply(Operation& operation, const boost::system::error_code& error, Values&&... values) {
        operation.error = error;
        operation.complete(std::forward<Values>(values)...);
    }
};
struct AsioCompleteWithException {
    template <class Operation, class... Values>
    static void apply(Operation& operation, std::exception_ptr failure, Values&&... values) {
        if (failure != nullptr) {
            operation.delivery.fail(std::move(failure));
        } else {
            operation.complete(std::forward<Values>(values)...);
        }
    }
};

/// What async_result has to have, for a signature whose values are Ts.
template <class Complete, class... Ts>
struct AsioResult {
    using Operation = AsioOperation<Ts...>;
    using Value = typename Operation::Value;
    using return_type = Result<Value>;

    template <class Initiation, class... Args>
    static return_type initiate(Initiation&& initiation, UseFiber /*token*/, Args&&... args) {
        constexpr const char* what = "an operation of Asio";
        Operation operation;
        const WaitEnd end = run_asio<Operation, AsioHandler<Operation, Complete>>(
            operation, std::forward<Initiation>(initiation), std::forward<Args>(args)...);
        switch (operation.delivery.settled()) {
        case Settled::dropped: return Error(errc::stopped, what);
        case Settled::no: return Error(to_errc(end), what);
        default: break;
        }
        if (operation.error) {
            const bool ours = end != WaitEnd::ready && operation.error == boost::asio::error::operation_aborted;
            return ours ? Error(to_errc(end), what) : Error(operation.error, what);
        }
        if constexpr (std::is_void_v<Value>) {
            operation.delivery.take(); // rethrows
            return {};
        } else {
            return operation.delivery.take();
        }
    }
};

} // namespace detail

/// An io_context that runs on a thread of its own beside the loop. The thread blocks all signals. An exception that
/// leaves a handler ends the process, as it would leave the thread: handlers of use_fiber throw none.
class AsioThread {
public:
    /// Throws std::system_error when no thread can be had.
    AsioThread() : work_(context_.get_executor()), thread_(detail::start_quiet_thread([this] { context_.run(); })) {}
    AsioThread(const AsioThread&) = delete;
    AsioThread& operator=(const AsioThread&) = delete;
    /// Stops the io_context and joins the thread. Operations that pend fail with errc::stopped when the io_context
    /// goes.
    ~AsioThread() {
        context_.stop();
        thread_.join();
    }

    [[nodiscard]] boost::asio::io_context& context() noexcept { return context_; }

private:
    boost::asio::io_context context_;
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
    std::thread thread_;
};

/// Runs a Runtime inside a program that Asio owns: whenever the runtime has something to do, the io_context gives it
/// `budget`. Owner thread: the one that runs the io_context, one thread only. An exception that leaves a fiber unjoined
/// comes out of io_context::run(). Goes before the runtime.
class AsioHost {
public:
    AsioHost(Runtime& runtime, boost::asio::io_context& context,
             std::chrono::nanoseconds budget = std::chrono::milliseconds(1))
        : runtime_(runtime), descriptor_(context, runtime.poll_fd()), budget_(budget) {
        turn();
    }
    AsioHost(const AsioHost&) = delete;
    AsioHost& operator=(const AsioHost&) = delete;
    ~AsioHost() { descriptor_.release(); } // the descriptor is the runtime's
    /// Lets the io_context run dry; fibers wait until the next AsioHost.
    void stop() {
        stopped_ = true;
        descriptor_.cancel();
    }

private:
    void turn() {
        if (stopped_) return; // by a fiber of this very turn
        descriptor_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                               [this](const boost::system::error_code& error) {
                                   if (error) return;
                                   // Armed again first: an exception from a fiber must not end the runtime's turns.
                                   struct Again {
                                       AsioHost* host;
                                       ~Again() { host->turn(); }
                                   } again{this};
                                   runtime_.run_for(budget_);
                               });
    }

    Runtime& runtime_;
    boost::asio::posix::stream_descriptor descriptor_;
    std::chrono::nanoseconds budget_;
    bool stopped_ = false;
};

} // namespace nexus

// --- what Asio asks of a completion token ---

namespace boost::asio {

template <class... Ts>
class async_result<nexus::UseFiber, void(boost::system::error_code, Ts...)>
    : public nexus::detail::AsioResult<nexus::detail::AsioCompleteWithError, Ts...> {};
template <class... Ts>
class async_result<nexus::UseFiber, void(std::exception_ptr, Ts...)>
    : public nexus::detail::AsioResult<nexus::detail::AsioCompleteWithException, Ts...> {};
template <class... Ts>
class async_result<nexus::UseFiber, void(Ts...)>
    : public nexus::detail::AsioResult<nexus::detail::AsioCompleteBare, Ts...> {};

} // namespace boost::asio
