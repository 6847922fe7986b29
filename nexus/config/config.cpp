// Config: reading the file, and handing out its parts.
#include "nexus/config/config.hpp"

#include "nexus/config/private/document.hpp"
#include "nexus/config/private/option_table.hpp"

#include <array>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <ostream>
#include <system_error>

namespace nexus {

namespace {

[[noreturn]] void throw_unreadable(const std::string& path, int error) {
    ConfigProblem problem;
    problem.file = path;
    problem.found = std::generic_category().message(error);
    problem.allowed = "a readable file";
    problem.message = "cannot be read: " + problem.found;
    throw ConfigError({std::move(problem)});
}

struct Close {
    void operator()(std::FILE* file) const noexcept { std::fclose(file); }
};

std::string contents(const std::string& path) {
    // "e": the descriptor does not leak into child processes.
    const std::unique_ptr<std::FILE, Close> file(std::fopen(path.c_str(), "rbe"));
    if (!file) throw_unreadable(path, errno);
    std::string text;
    std::array<char, 16 * 1024> chunk;
    // One chunk beyond the limit is enough for the reader to see that there is too much.
    while (text.size() <= config_detail::max_text_bytes) {
        errno = 0;
        const std::size_t count = std::fread(chunk.data(), 1, chunk.size(), file.get());
        if (count == 0 && std::ferror(file.get()) != 0) throw_unreadable(path, errno);
        if (count == 0) break;
        text.append(chunk.data(), count);
    }
    return text;
}

} // namespace

namespace config_detail {

std::optional<nlohmann::json> resource_value(const Document& document, const std::string& name,
                                             const ResourceCodec& codec) {
    return document.resource(name, codec);
}

} // namespace config_detail

Config::Config() : Config(std::make_shared<config_detail::Document>("{}", "<defaults>")) {}

Config::Config(std::shared_ptr<config_detail::Document> document) : document_(std::move(document)) {}

Config Config::load(const std::string& path) {
    return Config(std::make_shared<config_detail::Document>(contents(path), path));
}

Config Config::parse(std::string_view text, std::string_view name) {
    return Config(std::make_shared<config_detail::Document>(text, std::string(name)));
}

RuntimeOptions Config::runtime() const { return document_->runtime(); }

const config_detail::LogSection& Config::log_section() const { return document_->log(); }

void Config::ask(const std::string& name, const config_detail::ResourceCodec& codec) const {
    document_->ask(name, codec);
}

void Config::check() const { document_->check(); }

nlohmann::ordered_json Config::to_json() const { return document_->effective(); }

void Config::print(std::ostream& out) const {
    out << to_json().dump(4, ' ', false, nlohmann::ordered_json::error_handler_t::replace) << '\n';
}

std::string Config::schema() {
    using Json = nlohmann::ordered_json;
    Json properties = {{"$schema", {{"type", "string"}}}};
    for (const config_detail::Section* section : {&config_detail::runtime_section(), &config_detail::log_section()}) {
        properties[std::string(section->key)] = config_detail::section_schema(*section);
    }
    properties["resources"] = {{"description", "One section for each resource that the program binds."},
                               {"type", "object"}};
    const Json schema = {{"$schema", "https://json-schema.org/draft/2020-12/schema"},
                         {"title", "nexus configuration"},
                         {"type", "object"},
                         {"properties", std::move(properties)},
                         {"additionalProperties", false}};
    return schema.dump(4) + '\n';
}

} // namespace nexus
