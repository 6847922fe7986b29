// TypeId: the identity of a type at run time, also across shared libraries and without RTTI.
//
// Inside one image (program or shared library) a type is the address of its TypeInfo. Between two images, where hidden
// visibility or RTLD_LOCAL gives a type several TypeInfos, it is its name, with the hash compared first. So types that
// merely share a spelling (two local structs called S, types in anonymous namespaces) stay different types; types whose
// names are known to be private to an image are never equal across images. What g++ and clang cannot tell apart by name
// across images is a local struct without qualification: types that cross libraries belong at namespace scope.
#pragma once

#include "nexus/base/type_name.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace nexus::base {

namespace detail {

/// One object an image: hidden, so that the dynamic linker does not merge those of different images.
[[gnu::visibility("hidden")]] inline constexpr char image_tag = 0;

constexpr std::uint64_t fnv1a(std::string_view text) noexcept {
    std::uint64_t hash = 0xcbf29ce484222325U;
    for (const char c : text) {
        hash ^= static_cast<unsigned char>(c);
        hash *= 0x100000001b3U;
    }
    return hash;
}

// By index and by hand: with -fsanitize=undefined g++ 12 cannot evaluate string_view::find at compile time.
constexpr bool mentions(std::string_view text, std::string_view part) noexcept {
    for (std::size_t at = 0; at + part.size() <= text.size(); ++at) {
        std::size_t same = 0;
        while (same < part.size() && text[at + same] == part[same]) ++same;
        if (same == part.size()) return true;
    }
    return false;
}

constexpr bool private_to_image(std::string_view name) noexcept {
    return mentions(name, "anonymous") || mentions(name, "lambda") || mentions(name, ")::");
}

struct TypeInfo {
    std::uint64_t hash;
    std::string_view name;
    const char* image;
    bool image_private;
};

template <class T>
inline constexpr TypeInfo type_info{fnv1a(type_text<T>), type_name<T>(), &image_tag, private_to_image(type_text<T>)};

} // namespace detail

/// Identifies a type. Copyable, as cheap as a pointer; equality is one comparison when the TypeInfo is the same one.
class TypeId {
public:
    template <class T>
    [[nodiscard]] static constexpr TypeId of() noexcept {
        return TypeId{&detail::type_info<T>};
    }
    /// The same in all images for equal types. Not unique.
    [[nodiscard]] constexpr std::uint64_t hash() const noexcept { return info_->hash; }
    /// Ends with a zero byte.
    [[nodiscard]] constexpr std::string_view name() const noexcept { return info_->name; }

    friend constexpr bool operator==(TypeId a, TypeId b) noexcept {
        return a.info_ == b.info_ || (a.info_->hash == b.info_->hash && same_across_images(*a.info_, *b.info_));
    }

private:
    constexpr explicit TypeId(const detail::TypeInfo* info) noexcept : info_(info) {}
    static constexpr bool same_across_images(const detail::TypeInfo& a, const detail::TypeInfo& b) noexcept {
        return a.image != b.image && !a.image_private && a.name == b.name;
    }

    const detail::TypeInfo* info_;
};

} // namespace nexus::base
