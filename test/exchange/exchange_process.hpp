// The programs under test as child processes: started with a configuration of their own in a folder of their own,
// stopped by signal, their log and exit code read back. Plain POSIX and C++14, since the QuickFIX tests include it too.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

extern char** environ;

namespace exchange {
namespace test {

/// Looks every few milliseconds until `condition` holds; false when it does not within the limit.
template <class Condition>
bool eventually(Condition condition, std::chrono::milliseconds limit = std::chrono::seconds(20)) {
    const auto end = std::chrono::steady_clock::now() + limit;
    while (!condition()) {
        if (std::chrono::steady_clock::now() > end) return false;
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return true;
}

inline std::string content_of(const std::string& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

/// A folder that goes with everything in it.
class Folder {
public:
    Folder() {
        const char* where = std::getenv("TMPDIR");
        path_ = std::string(where != nullptr ? where : P_tmpdir) + "/exchange-test.XXXXXX";
        if (mkdtemp(&path_[0]) == nullptr) throw std::runtime_error("no temporary folder: " + path_);
    }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    ~Folder() {
        for (const std::string& name : names_) unlink(name.c_str());
        rmdir(path_.c_str());
    }
    /// The path of a file in the folder; it is removed at the end.
    std::string file(const std::string& name) {
        names_.push_back(path_ + "/" + name);
        return names_.back();
    }

private:
    std::string path_;
    std::vector<std::string> names_;
};

/// A program that runs; killed at the end if it still does.
class Process {
public:
    /// `arguments` begin with the program; both output streams go to the file `output`.
    Process(std::vector<std::string> arguments, const std::string& output) {
        std::vector<char*> raw;
        for (std::string& argument : arguments) raw.push_back(&argument[0]);
        raw.push_back(nullptr);
        posix_spawn_file_actions_t files;
        posix_spawn_file_actions_init(&files);
        posix_spawn_file_actions_addopen(&files, 1, output.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
        posix_spawn_file_actions_adddup2(&files, 1, 2);
        const int failed = posix_spawn(&pid_, raw[0], &files, nullptr, raw.data(), environ);
        posix_spawn_file_actions_destroy(&files);
        if (failed != 0) throw std::runtime_error("cannot start " + arguments[0]);
    }
    Process(const Process&) = delete;
    Process& operator=(const Process&) = delete;
    ~Process() {
        if (has_ended()) return;
        kill(pid_, SIGKILL);
        waitpid(pid_, nullptr, 0);
    }

    void signal(int number) { kill(pid_, number); }
    /// 128 plus the signal for a program that one ended; -1 while it runs.
    int exit_code() const { return code_; }
    bool has_ended() {
        int status = 0;
        if (code_ < 0 && waitpid(pid_, &status, WNOHANG) == pid_) {
            code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        }
        return code_ >= 0;
    }
    /// The exit code; -1 when the program does not end in time.
    int wait(std::chrono::milliseconds limit = std::chrono::seconds(30)) {
        eventually([this] { return has_ended(); }, limit);
        return code_;
    }

private:
    pid_t pid_ = 0;
    int code_ = -1;
};

inline std::string program_from(const char* variable) {
    const char* path = std::getenv(variable);
    if (path == nullptr) throw std::runtime_error(std::string(variable) + " has to name the program under test");
    return path;
}

/// The exchange, listening.
class ExchangeProcess {
public:
    /// These are further members of objects of the configuration, each with a comma in front.
    explicit ExchangeProcess(const std::string& sessions = "", const std::string& venue = "",
                             const std::string& limits = "", const std::string& market_data = "")
        : journal_(folder_.file("journal")), config_(folder_.file("exchange.json")), log_(folder_.file("log")) {
        std::ofstream(config_) << R"({"log": {"level": "info"}, "resources": {
            "venue": {"listen": "127.0.0.1:0", "peers": ["BOT1", "BOT2", "BOT3", "BOT4", "TRADER"], "journal": ")"
                               << journal_ << "\"" << venue << R"(},
            "sessions": {"min_heartbeat_s": 1)"
                               << sessions << R"(},
            "limits": {"max_quantity": 1000, "price_band_bp": 1000)"
                               << limits << R"(},
            "market_data": {"max_subscriptions": 16)"
                               << market_data << R"(},
            "instruments": {"all": [{"symbol": "ACME", "tick": 0.01, "reference": 10000},
                                    {"symbol": "BOLT", "tick": 0.05, "reference": 400}]}}})";
        const std::string port_file = folder_.file("port");
        process_.reset(
            new Process({program_from("EXCHANGE_PROGRAM"), "--config", config_, "--port-file", port_file}, log_));
        const bool up = eventually([&] {
            const std::string text = content_of(port_file);
            return process_->has_ended() || (!text.empty() && text.back() == '\n');
        });
        if (!up || process_->has_ended()) throw std::runtime_error("the exchange does not listen: " + log());
        port_ = std::stoi(content_of(port_file));
    }

    int port() const { return port_; }
    const std::string& config_file() const { return config_; }
    std::string log() const { return content_of(log_); }
    std::string journal() const { return content_of(journal_); }
    std::string new_file(const std::string& name) { return folder_.file(name); }
    bool logs(const std::string& text) const {
        return eventually([&] { return log().find(text) != std::string::npos; });
    }
    void terminate() { process_->signal(SIGTERM); }
    int wait() { return process_->wait(); }
    int stop() {
        terminate();
        return wait();
    }

private:
    Folder folder_;
    std::string journal_, config_, log_;
    std::unique_ptr<Process> process_;
    int port_ = 0;
};

} // namespace test
} // namespace exchange
