// An intrusive queue with many producers and one consumer (after D. Vyukov): no allocation, one exchange a push.
//
// Invariants: a node is in at most one queue, once; `tail_` is the newest node or the stub; following `next` from
// `head_` reaches `tail_` except while a push is between its exchange and its link. A popped node is never touched
// again by any producer: the one producer that writes its `next` has done so before pop() can return it (H-26).
// FIFO for each producer. pop() may report "nothing" while a push is half done (CW-6); the producer of that push makes
// sure by the park protocol (park_gate.hpp) that somebody looks again.
#pragma once

#include "nexus/base/atomic.hpp"

namespace nexus::base {

template <class Backend>
struct MpscNode {
    // Written by the producer that links the successor (release), read by the consumer (acquire).
    typename Backend::template Atomic<MpscNode*> next{nullptr};
};

template <class Backend>
class MpscQueue {
public:
    using Node = MpscNode<Backend>;

    MpscQueue() noexcept {
        tail_.store_relaxed(&stub_); // SAFETY: relaxed; not shared yet
        head_.set(&stub_);
    }
    MpscQueue(const MpscQueue&) = delete;
    MpscQueue& operator=(const MpscQueue&) = delete;

    /// Any thread. `node` must not be in a queue; what was written before is visible to who pops it (CW-4).
    void push(Node* node) noexcept {
        node->next.store_relaxed(nullptr); // SAFETY: relaxed; published by the exchange below
        Node* previous = tail_.exchange_acq_rel(node);
        previous->next.store_release(node); // partner: the acquire loads in pop()
    }

    /// Consumer only. The oldest node, or null when empty or when a push is under way (CW-5).
    Node* pop() noexcept {
        Node* head = head_.get();
        Node* next = head->next.load_acquire(); // partner: push()
        if (head == &stub_) {
            if (next == nullptr) return nullptr;
            head = next;
            head_.set(head);
            next = head->next.load_acquire();
        }
        if (next != nullptr) {
            head_.set(next);
            return head;
        }
        if (head != tail_.load_acquire()) return nullptr; // a push is between exchange and link
        push(&stub_);
        next = head->next.load_acquire();
        if (next == nullptr) return nullptr;
        head_.set(next);
        return head;
    }

    /// Consumer only. True when pop() has, or will soon have, something to return. Never false for a push that
    /// happened before (it sees the exchange of every push that is ordered before this call).
    [[nodiscard]] bool maybe_nonempty() const noexcept {
        const Node* tail = tail_.load_acquire(); // partner: the exchange in push()
        return tail != head_.get() || head_.get() != &stub_;
    }

private:
    typename Backend::template Atomic<Node*> tail_;
    typename Backend::template Plain<Node*> head_;
    Node stub_;
};

} // namespace nexus::base
