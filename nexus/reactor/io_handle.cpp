#include "nexus/reactor/io_handle.hpp"

#include "nexus/base/usage_error.hpp"

#include <string>

namespace nexus {

IoHandle IoHandle::current() {
    Reactor* reactor = Executor::of_current_fiber("IoHandle::current").reactor();
    if (reactor == nullptr) {
        throw UsageError("IoHandle::current(): this executor has no reactor; run the fiber in a Runtime");
    }
    return IoHandle(*reactor);
}

Reactor& IoHandle::checked(const char* operation) const {
    const Executor* executor = Executor::current();
    Reactor* reactor = executor == nullptr ? nullptr : executor->reactor();
    if (reactor == nullptr || reactor->serial() != serial_) {
        throw UsageError(std::string("IoHandle::") + operation +
                         "(): the handle is of another runtime, or of one that "
                         "is gone; take IoHandle::current() where it is used");
    }
    return *reactor;
}

Result<void> IoHandle::register_source(IoSource& source) const {
    return source.attach(checked("register_source"), "register_source");
}

void IoHandle::deregister(IoSource& source) const { source.detach_from(checked("deregister"), "deregister"); }

std::size_t IoHandle::source_count() const { return checked("source_count").source_count(); }

} // namespace nexus
