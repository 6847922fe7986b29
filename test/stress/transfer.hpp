// What a stress test knows of the values that go through a queue: which were offered, which were sent, which arrived.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <string>
#include <vector>

namespace nexus_stress {

/// A value says who sent it and as which of his.
struct Stamp {
    std::size_t sender;
    std::size_t number;
};

/// One sender's side of the story. Written by the sender; read by others once it has ended.
class Offers {
public:
    enum class Fate : unsigned char { unknown, sent, refused };

    /// A value is about to be offered; unless told otherwise, nobody knows whether it was sent.
    std::size_t offer() {
        fates_.push_back(Fate::unknown);
        return fates_.size() - 1;
    }
    void settle(std::size_t number, bool sent) { fates_[number] = sent ? Fate::sent : Fate::refused; }
    [[nodiscard]] const std::vector<Fate>& fates() const { return fates_; }

private:
    std::vector<Fate> fates_;
};

/// The receiver's side: values of one sender arrive in order, each once.
class Arrivals {
public:
    explicit Arrivals(std::size_t senders) : from_(senders) {}

    void arrive(Stamp stamp) {
        auto& list = from_[stamp.sender];
        EXPECT_TRUE(list.empty() || list.back() < stamp.number)
            << "sender " << stamp.sender << ": " << stamp.number << " after " << list.back();
        list.push_back(stamp.number);
        ++count_;
    }
    [[nodiscard]] std::size_t count() const { return count_; }

    /// Afterwards: what was sent arrived, what was refused did not. With `complete` false the receiver left early.
    void compare(const std::vector<Offers>& senders, bool complete) const {
        for (std::size_t s = 0; s < senders.size(); ++s) {
            const auto& fates = senders[s].fates();
            std::vector<bool> arrived(fates.size());
            for (const std::size_t number : from_[s]) {
                ASSERT_LT(number, fates.size());
                arrived[number] = true;
            }
            for (std::size_t number = 0; number < fates.size(); ++number) {
                const auto fate = fates[number];
                EXPECT_FALSE(fate == Offers::Fate::refused && arrived[number])
                    << "sender " << s << ": " << number << " was refused and arrived";
                EXPECT_FALSE(complete && fate == Offers::Fate::sent && !arrived[number])
                    << "sender " << s << ": " << number << " was sent and lost";
            }
        }
    }

private:
    std::vector<std::vector<std::size_t>> from_;
    std::size_t count_ = 0;
};

} // namespace nexus_stress
