// One configuration text, read.
#include "nexus/config/private/document.hpp"

#include "nexus/config/private/nearest.hpp"
#include "nexus/config/private/option_table.hpp"
#include "nexus/config/private/resource_check.hpp"

#include <algorithm>
#include <utility>

namespace nexus::config_detail {

namespace {

constexpr std::string_view schema_key = "$schema";
constexpr std::string_view resources_key = "resources";
std::string resources_pointer() { return pointer_to({}, resources_key); }

std::vector<std::string> top_level_keys() {
    return {std::string(runtime_section().key), std::string(log_section().key), std::string(resources_key)};
}

void expect_kind(const Node& node, const std::string& pointer, const nlohmann::json& example, ProblemList& problems) {
    if (node.is_unusable() || node.value.type() == example.type()) return;
    problems.add(node.place, pointer, shown(node.value), kind_of(example));
}

// An option at the top level is a frequent slip; the section that knows it is a better answer than a similar word.
bool report_misplaced(const Node& member, ProblemList& problems) {
    for (const Section* section : {&runtime_section(), &log_section()}) {
        const auto keys = keys_of(*section);
        if (std::find(keys.begin(), keys.end(), member.key) == keys.end()) continue;
        const std::string key = in_quotes(member.key);
        problems.add_sentence(member.key_place, pointer_to({}, member.key), "unknown key " + key,
                              "unknown key " + key + "; it belongs into the section " + in_quotes(section->key));
        return true;
    }
    return false;
}

} // namespace

Document::Document(std::string_view text, std::string name) : name_(std::move(name)) {
    ProblemList problems(name_);
    if (auto root = parse_json(text, problems)) {
        root_ = std::move(*root);
        read_root(problems);
    }
    problems.throw_if_any();
}

void Document::read_root(ProblemList& problems) {
    expect_kind(root_, {}, nlohmann::json::object(), problems);
    for (const Node& member : root_.children) {
        if (!root_.is_object()) return;
        if (member.key == runtime_section().key) {
            read_section(runtime_section(), member, &runtime_, problems);
        } else if (member.key == log_section().key) {
            read_section(log_section(), member, &log_, problems);
        } else if (member.key == resources_key) {
            expect_kind(member, resources_pointer(), nlohmann::json::object(), problems);
        } else if (member.key == schema_key) {
            expect_kind(member, pointer_to({}, schema_key), "", problems);
        } else if (!report_misplaced(member, problems)) {
            problems.add_unknown_key(member.key_place, pointer_to({}, member.key), member.key, top_level_keys());
        }
    }
}

void Document::ask(std::string name, const ResourceCodec& codec) {
    const bool is_known = std::any_of(asked_.begin(), asked_.end(), [&](const AskedResource& other) {
        return other.name == name && other.codec.defaults == codec.defaults;
    });
    if (!is_known) asked_.push_back({std::move(name), codec});
}

const Node* Document::find_resource(std::string_view name) const noexcept {
    const Node* resources = root_.find(resources_key);
    return resources == nullptr ? nullptr : resources->find(name);
}

std::optional<nlohmann::json> Document::resource(const std::string& name, const ResourceCodec& codec) const {
    const Node* section = find_resource(name);
    if (section == nullptr) return std::nullopt;
    ProblemList problems(name_);
    nlohmann::json value = read_resource(*section, pointer_to(resources_pointer(), name), codec, problems);
    problems.throw_if_any();
    return value;
}

std::vector<std::string> Document::asked_names() const {
    std::vector<std::string> names;
    for (const AskedResource& asked : asked_) names.push_back(asked.name);
    return names;
}

void Document::check() const {
    ProblemList problems(name_);
    for (const AskedResource& asked : asked_) {
        const Node* section = find_resource(asked.name);
        if (section == nullptr) continue;
        (void)read_resource(*section, pointer_to(resources_pointer(), asked.name), asked.codec, problems);
    }
    const std::vector<std::string> names = asked_names();
    if (const Node* resources = root_.find(resources_key)) {
        for (const Node& section : resources->children) {
            if (std::find(names.begin(), names.end(), section.key) != names.end()) continue;
            problems.add_unknown_key(section.key_place, pointer_to(resources_pointer(), section.key), section.key,
                                     names);
        }
    }
    problems.throw_if_any();
}

nlohmann::ordered_json Document::effective() const {
    nlohmann::ordered_json all;
    all[std::string(runtime_section().key)] = write_section(runtime_section(), &runtime_);
    all[std::string(log_section().key)] = write_section(log_section(), &log_);
    nlohmann::ordered_json& resources = all[std::string(resources_key)] = nlohmann::ordered_json::object();
    for (const AskedResource& asked : asked_) {
        resources[asked.name] = resource(asked.name, asked.codec).value_or(asked.codec.defaults());
    }
    if (const Node* given = root_.find(resources_key)) {
        for (const Node& section : given->children) {
            if (!resources.contains(section.key)) resources[section.key] = to_json(section);
        }
    }
    return all;
}

} // namespace nexus::config_detail
