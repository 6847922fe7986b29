// An intrusive doubly linked list: O(1) link and unlink, no allocation.
//
// Invariants: a node is in at most one list; a linked node's neighbours point back at it; an unlinked node has null
// links. The list does not own its nodes. Single-threaded; the caller locks where threads meet.
#pragma once

#include <cassert>
#include <cstddef>

namespace nexus::base {

struct ListNode {
    ListNode() = default;
    ListNode(const ListNode&) = delete;
    ListNode& operator=(const ListNode&) = delete;

    [[nodiscard]] bool linked() const noexcept { return next_ != nullptr; }
    /// Leaves the list it is in. No effect when unlinked.
    void unlink() noexcept {
        if (next_ == nullptr) return;
        prev_->next_ = next_;
        next_->prev_ = prev_;
        prev_ = next_ = nullptr;
    }

private:
    template <class T>
    friend class IntrusiveList;
    ListNode* prev_ = nullptr;
    ListNode* next_ = nullptr;
};

/// A list of T, where T derives from ListNode.
template <class T>
class IntrusiveList {
public:
    IntrusiveList() noexcept { reset(); }
    IntrusiveList(const IntrusiveList&) = delete;
    IntrusiveList& operator=(const IntrusiveList&) = delete;
    ~IntrusiveList() { assert(empty() && "nodes must leave before their list"); }

    [[nodiscard]] bool empty() const noexcept { return head_.next_ == &head_; }
    [[nodiscard]] T* front() noexcept { return empty() ? nullptr : node(head_.next_); }
    /// The element after `element`, or null.
    [[nodiscard]] T* next(T& element) noexcept {
        ListNode* following = static_cast<ListNode&>(element).next_;
        return following == &head_ ? nullptr : node(following);
    }
    void push_back(T& element) noexcept { link(element, head_.prev_, &head_); }
    void push_front(T& element) noexcept { link(element, &head_, head_.next_); }
    /// Unlinks and returns the first element, or null.
    T* pop_front() noexcept {
        T* first = front();
        if (first != nullptr) static_cast<ListNode*>(first)->unlink();
        return first;
    }
    /// Moves all of `other` to the end of this list, in order.
    void splice_back(IntrusiveList& other) noexcept {
        if (other.empty()) return;
        ListNode* first = other.head_.next_;
        ListNode* last = other.head_.prev_;
        first->prev_ = head_.prev_;
        head_.prev_->next_ = first;
        last->next_ = &head_;
        head_.prev_ = last;
        other.reset();
    }
    /// O(n).
    [[nodiscard]] std::size_t size() const noexcept {
        std::size_t count = 0;
        for (const ListNode* at = head_.next_; at != &head_; at = at->next_) ++count;
        return count;
    }

private:
    // SAFETY: only T objects are ever linked (push_* take T&).
    static T* node(ListNode* link) noexcept { return static_cast<T*>(link); }
    static void link(ListNode& element, ListNode* prev, ListNode* next) noexcept {
        assert(!element.linked());
        element.prev_ = prev;
        element.next_ = next;
        prev->next_ = &element;
        next->prev_ = &element;
    }
    void reset() noexcept { head_.prev_ = head_.next_ = &head_; }

    ListNode head_;
};

} // namespace nexus::base
