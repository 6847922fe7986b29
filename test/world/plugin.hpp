// What the program and its plugin both know.
#pragma once

#include "nexus/base/type_id.hpp"

namespace plugin {
struct Book {};
struct Types {
    nexus::base::TypeId book;
    nexus::base::TypeId books;
    nexus::base::TypeId hidden;
};
} // namespace plugin
