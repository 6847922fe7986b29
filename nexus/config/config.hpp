// Config: one JSON file, read into options of the runtime and of the log, and into resources of the World.
//
// The format, with all options, is in docs/config.md. Everything wrong with a file is reported at once, each mistake
// with its line, column, JSON pointer, what was found, what is allowed, and the nearest known word. What is known at
// load time (syntax, `runtime`, `log`) is reported by load; a section of `resources` is looked at when the resource
// that asked for it is made, or by check().
//
// This is the only public header that includes nlohmann/json.hpp: resource types use its macros.
#pragma once

#include "nexus/config/detail/log_section.hpp"
#include "nexus/config/detail/resource_codec.hpp"
#include "nexus/config/problem.hpp"
#include "nexus/runtime/options.hpp"
#include "nexus/world/binding.hpp"

#include <nlohmann/json.hpp>

#include <concepts>
#include <iosfwd>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace nexus {

struct LogOptions;

namespace config_detail {

class Document;

// In the library, so that a binding needs no more than this of a Document.
[[nodiscard]] std::optional<nlohmann::json> resource_value(const Document& document, const std::string& name,
                                                           const ResourceCodec& codec);

template <class T>
concept HasJson = requires(nlohmann::json& json, T& value, const T& constant) {
    json = constant;
    json.get_to(value);
};

} // namespace config_detail

/// A read and checked configuration. Copies share what was read; bindings may outlive the Config.
/// Not for use by several threads at once. Nothing here suspends.
class Config {
public:
    /// The same as parse("{}"): defaults everywhere.
    Config();
    /// Reads a file. Throws ConfigError with every problem of it, also when it cannot be opened or read.
    [[nodiscard]] static Config load(const std::string& path);
    /// Reads a text; `name` stands for the file in problems. Throws ConfigError with every problem of it.
    [[nodiscard]] static Config parse(std::string_view text, std::string_view name = "<text>");

    // Copies only: a moved-from Config stays what it was.
    Config(const Config&) = default;
    Config& operator=(const Config&) = default;
    ~Config() = default;

    /// The section `runtime`, with defaults for what it leaves out.
    [[nodiscard]] RuntimeOptions runtime() const;

    /// The section `log`, with defaults for what it leaves out. Needs nexus/log/log.hpp included. A host with a log of
    /// its own may name another struct with the same fields.
    template <class Options = LogOptions>
    [[nodiscard]] Options log() const {
        const config_detail::LogSection& section = log_section();
        Options options;
        options.level = static_cast<decltype(options.level)>(section.level);
        options.flush_level = static_cast<decltype(options.flush_level)>(section.flush_level);
        options.pattern = section.pattern;
        options.file = section.file;
        options.max_file_bytes = section.max_file_bytes;
        options.max_files = section.max_files;
        return options;
    }

    /// Binds the section `resources.<name>` to a resource: `builder.add(config.resource<Listen>("listen"))`.
    /// T needs a default constructor and the JSON library's to_json and from_json (NLOHMANN_DEFINE_TYPE_...). The known
    /// keys and their types are those of to_json(T{}); what the file leaves out keeps its default, also with macros
    /// that insist on every key. The binding throws ConfigError with every problem of its section when it makes the
    /// resource. Without a section it makes T{}.
    /// Does not find unknown names of an enum (NLOHMANN_JSON_SERIALIZE_ENUM turns them into the first one), and takes
    /// the keys of a map as known when the default map is not empty.
    template <class T>
    [[nodiscard]] ResourceBinding<T> resource(std::string name) const {
        static_assert(std::is_default_constructible_v<T>, "a resource from the configuration needs a default "
                                                          "constructor: what the file leaves out comes from T{}");
        static_assert(config_detail::HasJson<T>, "a resource from the configuration needs to_json and from_json: use "
                                                 "NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(T, fields...)");
        const auto codec = config_detail::ResourceCodec::of<T>();
        ask(name, codec);
        std::string description = name + " (config key \"resources." + name + "\")";
        return ResourceBinding<T>(std::move(description), [document = document_, name = std::move(name), codec]() -> T {
            auto value = config_detail::resource_value(*document, name, codec);
            return value ? value->template get<T>() : T{};
        });
    }

    /// Throws ConfigError with the problems of every section that resource() was called for, and with every section
    /// of `resources` for which it was not. To be called when all bindings have been made.
    void check() const;

    /// The effective configuration: all options and all bound resources with their defaults. parse() of its text
    /// gives the same again. Throws ConfigError for a bound section with problems.
    [[nodiscard]] nlohmann::ordered_json to_json() const;
    /// to_json() as indented text with a newline at its end.
    void print(std::ostream& out) const;

    /// JSON Schema (draft 2020-12) of the format, for editors: `"$schema": "nexus.schema.json"`.
    [[nodiscard]] static std::string schema();

private:
    explicit Config(std::shared_ptr<config_detail::Document> document);

    void ask(const std::string& name, const config_detail::ResourceCodec& codec) const;
    [[nodiscard]] const config_detail::LogSection& log_section() const;

    // Not const: which resources were asked for is remembered for check().
    std::shared_ptr<config_detail::Document> document_;
};

} // namespace nexus
