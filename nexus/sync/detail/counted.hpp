// What the states of one-thread channels share: who keeps them alive.
#pragma once

#include <cstdint>

namespace nexus::detail {

/// Counts the ends that belong to `State`, and the waits in progress; the last one destroys it. One thread. `State` is
/// made by new.
template <class State>
class Counted {
public:
    Counted(const Counted&) = delete;
    Counted& operator=(const Counted&) = delete;

    void add_owner() noexcept { ++owners_; }
    void drop_owner() noexcept {
        if (--owners_ == 0) delete static_cast<State*>(this);
    }
    /// Keeps the state while a wait is in progress, whatever happens to the ends meanwhile.
    class Pin {
    public:
        explicit Pin(Counted& state) noexcept : state_(state) { state_.add_owner(); }
        Pin(const Pin&) = delete;
        Pin& operator=(const Pin&) = delete;
        ~Pin() { state_.drop_owner(); }

    private:
        Counted& state_;
    };

protected:
    Counted() noexcept = default;
    ~Counted() = default;

private:
    std::uint32_t owners_ = 0;
};

} // namespace nexus::detail
