// What lock() returns: the lock, held until this goes.
#pragma once

#include <utility>

namespace nexus::detail {

/// Move-only. An empty one (default-made, moved from, unlocked, or from a try_ that failed) holds nothing. It stays
/// with the fiber that locked, may wait and be moved meanwhile, and lets go on the lock's thread.
template <class Lock, void (Lock::*let_go)() noexcept>
class [[nodiscard]] Held {
public:
    Held() noexcept = default;
    Held(Held&& other) noexcept : lock_(std::exchange(other.lock_, nullptr)) {}
    Held& operator=(Held&& other) noexcept {
        if (this != &other) {
            unlock();
            lock_ = std::exchange(other.lock_, nullptr);
        }
        return *this;
    }
    ~Held() { unlock(); }

    [[nodiscard]] explicit operator bool() const noexcept { return lock_ != nullptr; }
    /// Lets go now. No effect on an empty one. Does not suspend: who waits runs later.
    void unlock() noexcept {
        if (lock_ != nullptr) (std::exchange(lock_, nullptr)->*let_go)();
    }

private:
    friend Lock;
    explicit Held(Lock& lock) noexcept : lock_(&lock) {}

    Lock* lock_ = nullptr;
};

} // namespace nexus::detail
