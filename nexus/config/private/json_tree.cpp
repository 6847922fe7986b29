// The JSON reader: structure (values, objects, arrays). Characters and scalars are read by json_scanner.
#include "nexus/config/private/json_tree.hpp"

#include "nexus/config/private/json_scanner.hpp"
#include "nexus/config/private/nearest.hpp"

#include <map>
#include <utility>

namespace nexus::config_detail {

namespace {

class Reader {
public:
    Reader(std::string_view text, ProblemList& problems) : scan_(text, problems), problems_(problems) {}

    std::optional<Node> read_document() {
        Node root;
        if (!scan_.skip_space() || !read_value(root)) return std::nullopt;
        if (!scan_.skip_space()) return std::nullopt;
        if (!scan_.at_end()) {
            problems_.add(scan_.place(), {}, scan_.shown_here(), "nothing more after the end of the document");
            return std::nullopt;
        }
        return root;
    }

private:
    // All read functions: false means that reading cannot go on; the reason has been reported.
    bool read_value(Node& node) {
        node.place = scan_.place();
        switch (scan_.peek()) {
        case '{': return enter(node) && read_object(node) && leave();
        case '[': return enter(node) && read_array(node) && leave();
        case '"': {
            std::string text;
            const std::size_t before = problems_.size();
            if (!scan_.read_string(text, pointer_)) return false;
            if (problems_.size() == before) {
                node.value = std::move(text);
            } else {
                node.value = nlohmann::json(nlohmann::json::value_t::discarded);
            }
            return true;
        }
        default: return scan_.read_scalar(node.value, pointer_);
        }
    }

    bool enter(const Node& node) {
        if (++depth_ <= max_depth) return true;
        problems_.add(node.place, {}, "more than " + std::to_string(max_depth) + " nested objects and arrays",
                      "a flatter document");
        return false;
    }

    bool leave() {
        --depth_;
        return true;
    }

    bool read_object(Node& node) {
        node.value = nlohmann::json::object();
        std::map<std::string, Place, std::less<>> seen;
        scan_.take();
        if (!scan_.skip_space()) return false;
        while (scan_.peek() != '}') {
            if (!read_member(node, seen) || !read_separator('}', "',' or '}'")) return false;
        }
        scan_.take();
        return true;
    }

    bool read_member(Node& node, std::map<std::string, Place, std::less<>>& seen) {
        Node member;
        member.key_place = scan_.place();
        if (scan_.peek() != '"') {
            problems_.add(scan_.place(), pointer_, scan_.shown_here(), "a key in double quotes");
            return false;
        }
        if (!scan_.read_string(member.key, pointer_)) return false;
        const std::size_t outer = pointer_.size();
        pointer_ = pointer_to(pointer_, member.key);
        if (!scan_.skip_space()) return false;
        if (scan_.peek() != ':') {
            problems_.add(scan_.place(), pointer_, scan_.shown_here(), "':' after the key");
            return false;
        }
        scan_.take();
        if (!scan_.skip_space() || !read_value(member)) return false;
        keep(node, std::move(member), seen);
        pointer_.resize(outer);
        return true;
    }

    void keep(Node& node, Node&& member, std::map<std::string, Place, std::less<>>& seen) {
        const auto [first, is_new] = seen.emplace(member.key, member.key_place);
        if (is_new) {
            node.children.push_back(std::move(member));
            return;
        }
        const std::string key = in_quotes(member.key);
        const Place at = first->second;
        problems_.add_sentence(member.key_place, pointer_, key,
                               "duplicate key " + key + ", given before at " + std::to_string(at.line) + ':' +
                                   std::to_string(at.column));
    }

    bool read_array(Node& node) {
        node.value = nlohmann::json::array();
        scan_.take();
        if (!scan_.skip_space()) return false;
        while (scan_.peek() != ']') {
            const std::size_t outer = pointer_.size();
            pointer_ += '/' + std::to_string(node.children.size());
            Node element;
            if (!read_value(element)) return false;
            pointer_.resize(outer);
            node.children.push_back(std::move(element));
            if (!read_separator(']', "',' or ']'")) return false;
        }
        scan_.take();
        return true;
    }

    // After a member or element: a comma, or the end. Two frequent slips are reported without giving up: a comma
    // before the end, and a comma forgotten between two lines.
    bool read_separator(char end, const char* allowed) {
        if (!scan_.skip_space()) return false;
        if (scan_.peek() == end) return true;
        const Place comma = scan_.place();
        if (scan_.peek() == ',') {
            scan_.take();
            if (!scan_.skip_space()) return false;
            if (scan_.peek() == end) {
                problems_.add(comma, pointer_, "','", std::string("no comma before '") + end + '\'');
            }
            return true;
        }
        problems_.add(comma, pointer_, scan_.shown_here(), allowed);
        return scan_.peek() == '"';
    }

    JsonScanner scan_;
    ProblemList& problems_;
    std::string pointer_;
    std::size_t depth_ = 0;
};

} // namespace

const Node* Node::find(std::string_view name) const noexcept {
    if (!is_object()) return nullptr;
    for (const Node& child : children) {
        if (child.key == name) return &child;
    }
    return nullptr;
}

std::string Node::token(std::size_t index) const { return is_array() ? std::to_string(index) : children[index].key; }

std::optional<Node> parse_json(std::string_view text, ProblemList& problems) {
    if (text.size() > max_text_bytes) {
        problems.add({}, {}, std::to_string(text.size()) + " bytes",
                     "at most " + std::to_string(max_text_bytes) + " bytes");
        return std::nullopt;
    }
    return Reader(text, problems).read_document();
}

nlohmann::json to_json(const Node& node) {
    nlohmann::json value = node.value;
    for (const Node& child : node.children) {
        if (node.is_array()) {
            value.push_back(to_json(child));
        } else {
            value[child.key] = to_json(child);
        }
    }
    return value;
}

} // namespace nexus::config_detail
