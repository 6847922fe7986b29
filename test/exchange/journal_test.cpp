// The journal's lines and their hash. The reference matcher reads them back.
#include "journal.hpp"

#include "allocation_count.hpp"

#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <iterator>

namespace exchange::test {
namespace {

const Time time_of_test{std::chrono::nanoseconds{1'767'340'800'000'000'001}};

void append_one_of_each(Journal& journal) {
    journal.accepted(time_of_test, "BOT1", "ACME", {7, Side::sell, OrderType::limit, TimeInForce::ioc, 10'000, 50});
    journal.filled(time_of_test, {7, 3, 10'001, 20});
    journal.replaced(time_of_test, 3, 9'999, 40);
    journal.cancelled(time_of_test, 3, 30);
}

constexpr auto all_lines = "O 1767340800000000001 7 BOT1 ACME 2 2 3 10000 50\n"
                           "F 1767340800000000001 7 3 10001 20\n"
                           "R 1767340800000000001 3 9999 40\n"
                           "C 1767340800000000001 3 30\n";

TEST(Journal, has_one_line_for_each_record) {
    Journal journal = Journal::in_memory();
    append_one_of_each(journal);
    EXPECT_EQ(journal.text(), all_lines);
    EXPECT_EQ(journal.lines(), 4u);
}

TEST(Journal, keeps_only_the_hash_unless_told_otherwise) {
    Journal kept = Journal::in_memory();
    Journal journal;
    EXPECT_EQ(journal.hash(), kept.hash());
    append_one_of_each(kept);
    append_one_of_each(journal);
    EXPECT_EQ(journal.text(), "");
    EXPECT_EQ(journal.hash(), kept.hash());
    EXPECT_TRUE(journal.flush());
}

TEST(Journal, hash_is_fnv_1a_over_the_lines_and_depends_on_their_order) {
    std::uint64_t expected = 0xcbf29ce484222325;
    for (const char* c = all_lines; *c != 0; ++c)
        expected = (expected ^ static_cast<unsigned char>(*c)) * 0x100000001b3;
    Journal journal;
    append_one_of_each(journal);
    EXPECT_EQ(journal.hash(), expected);
    Journal other;
    other.cancelled(time_of_test, 3, 30);
    append_one_of_each(other);
    EXPECT_NE(other.hash(), journal.hash());
}

TEST(Journal, appends_to_a_file) {
    const std::string path = testing::TempDir() + "exchange_journal_test";
    std::remove(path.c_str());
    for (int i = 0; i < 2; ++i) {
        auto journal = Journal::open(path);
        ASSERT_TRUE(journal);
        append_one_of_each(*journal);
        EXPECT_TRUE(journal->flush());
    }
    std::ifstream file{path};
    const std::string text{std::istreambuf_iterator<char>{file}, {}};
    EXPECT_EQ(text, std::string{all_lines} + all_lines);
    std::remove(path.c_str());
}

TEST(Journal, says_why_a_file_cannot_be_opened) {
    const auto journal = Journal::open("/no/such/folder/journal");
    ASSERT_FALSE(journal);
    EXPECT_EQ(journal.error(), std::errc::no_such_file_or_directory);
    EXPECT_EQ(journal.error().message().find("open /no/such/folder/journal"), 0u) << journal.error().message();
}

TEST(Journal, says_when_lines_were_not_written) {
    auto journal = Journal::open("/dev/full");
    ASSERT_TRUE(journal);
    append_one_of_each(*journal);
    EXPECT_EQ(journal->flush().error(), std::errc::no_space_on_device);
}

TEST(Journal, allocates_nothing) {
    Journal journal;
    append_one_of_each(journal);
    const std::size_t before = allocations;
    for (int i = 0; i < 100; ++i) append_one_of_each(journal);
    EXPECT_EQ(allocations, before);
}

} // namespace
} // namespace exchange::test
