// The ready queue: one intrusive FIFO with a count (EX-20, EX-23, H-3).
//
// Invariant: a task is linked here only while its QUEUED bit is set and it is not in the cross-thread queue, so it is
// here at most once. The cycle mark of the executor is a count of leading tasks: what is pushed goes behind the mark.
#pragma once

#include "nexus/exec/task.hpp"

#include <cstddef>

namespace nexus::detail {

class ReadyQueue {
public:
    [[nodiscard]] bool empty() const noexcept { return head_ == nullptr; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }

    void push(Task& task) noexcept {
        task.link = nullptr;
        if (head_ == nullptr) {
            head_ = &task;
        } else {
            tail_->link = &task;
        }
        tail_ = &task;
        ++size_;
    }

    Task* pop() noexcept {
        Task* task = head_;
        head_ = task->link;
        --size_;
        return task;
    }

    /// Takes out the task `index` places behind the head. O(index); for seeded choice in tests.
    Task* pop_at(std::size_t index) noexcept {
        if (index == 0) return pop();
        Task* before = head_;
        for (std::size_t i = 1; i < index; ++i) before = before->link;
        Task* task = before->link;
        before->link = task->link;
        if (tail_ == task) tail_ = before;
        --size_;
        return task;
    }

private:
    Task* head_ = nullptr;
    Task* tail_ = nullptr;
    std::size_t size_ = 0;
};

} // namespace nexus::detail
