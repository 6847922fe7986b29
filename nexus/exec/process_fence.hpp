// A full memory fence on every thread of the process at once, made by one of them (membarrier(2)).
//
// For protocols in which one side acts often and the other waits seldom: the often one leaves its fence out, and the
// seldom one pays for both. A call costs a tenth of a microsecond when no other thread of the process is running, and
// up to some fifteen where processors have to be interrupted. Any thread; does not suspend.
#pragma once

namespace nexus::detail {

/// Registers the process with the kernel; false where the kernel or a sandbox does not have it. May be called any
/// number of times.
[[nodiscard]] bool enable_process_fence() noexcept;

/// Between entry and return, every running thread of this process has executed a full fence. False when the kernel
/// refused, although it had registered the process: then nothing has been fenced.
[[nodiscard]] bool process_fence() noexcept;

} // namespace nexus::detail
