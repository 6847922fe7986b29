// Handlers that are spawned with arguments that do not fit: too few, too many, of a wrong type, a copy for a reference.
// It does not compile; the compiler's static assertions are the report.
#include "nexus/runtime/runtime.hpp"

#include <string>

struct Book {};

void quote(nexus::ResMut<Book>, int price, int quantity);
void log_line(const std::string& text);
void count(int& total);

void wrong(nexus::Runtime& runtime) {
    runtime.spawn(quote, 10);
    runtime.spawn(quote, 10, 20, 30);
    runtime.spawn(log_line, 10);
    int total = 0;
    runtime.spawn(count, total);
}
