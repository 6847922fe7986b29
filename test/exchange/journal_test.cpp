// The journal's lines, their hash, and reading them back.
#include "journal.hpp"

#include "allocation_count.hpp"

#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <iterator>
#include <vector>

namespace exchange::test {
namespace {

const Time time_of_test{std::chrono::nanoseconds{1'767'340'800'000'000'001}};

void append_three(Journal& journal) {
    journal.append(
        OrderAccepted{time_of_test, "BOT1", "ACME", {7, Side::sell, OrderType::limit, TimeInForce::ioc, 10'000, 50}});
    journal.append(Trade{time_of_test, {7, 3, 10'001, 20}});
    journal.append(OrderCancelled{time_of_test, 3, 30});
}

constexpr auto three_lines = "O 1767340800000000001 7 BOT1 ACME 2 2 3 10000 50\n"
                             "F 1767340800000000001 7 3 10001 20\n"
                             "C 1767340800000000001 3 30\n";

TEST(Journal, has_one_line_for_each_record) {
    Journal journal = Journal::in_memory();
    append_three(journal);
    EXPECT_EQ(journal.text(), three_lines);
    EXPECT_EQ(journal.records(), 3u);
}

TEST(Journal, keeps_only_the_hash_unless_told_otherwise) {
    Journal kept = Journal::in_memory();
    Journal journal;
    EXPECT_EQ(journal.hash(), kept.hash());
    append_three(kept);
    append_three(journal);
    EXPECT_EQ(journal.text(), "");
    EXPECT_EQ(journal.hash(), kept.hash());
    EXPECT_TRUE(journal.flush());
}

TEST(Journal, hash_is_fnv_1a_over_the_lines_and_depends_on_their_order) {
    std::uint64_t expected = 0xcbf29ce484222325;
    for (const char* c = three_lines; *c != 0; ++c)
        expected = (expected ^ static_cast<unsigned char>(*c)) * 0x100000001b3;
    Journal journal;
    append_three(journal);
    EXPECT_EQ(journal.hash(), expected);
    Journal other;
    other.append(OrderCancelled{time_of_test, 3, 30});
    append_three(other);
    EXPECT_NE(other.hash(), journal.hash());
}

TEST(Journal, reads_back_what_it_wrote) {
    std::vector<Record> records;
    EXPECT_TRUE(for_each_record(three_lines, [&](const Record& record) { records.push_back(record); }));
    ASSERT_EQ(records.size(), 3u);
    const auto& accepted = std::get<OrderAccepted>(records[0]);
    EXPECT_EQ(accepted.time, time_of_test);
    EXPECT_EQ(accepted.owner, "BOT1");
    EXPECT_EQ(accepted.symbol, "ACME");
    EXPECT_EQ(accepted.order.id, 7u);
    EXPECT_EQ(accepted.order.side, Side::sell);
    EXPECT_EQ(accepted.order.type, OrderType::limit);
    EXPECT_EQ(accepted.order.time_in_force, TimeInForce::ioc);
    EXPECT_EQ(accepted.order.price, 10'000);
    EXPECT_EQ(accepted.order.quantity, 50);
    EXPECT_EQ(std::get<Trade>(records[1]).fill, (Fill{7, 3, 10'001, 20}));
    EXPECT_EQ(std::get<OrderCancelled>(records[2]).quantity, 30);
    Journal again = Journal::in_memory();
    for (const Record& record : records) again.append(record);
    EXPECT_EQ(again.text(), three_lines);
}

TEST(Journal, lines_that_it_did_not_write_are_refused) {
    for (const char* line : {"", "X 1 2 3", "C", "C 1", "C 1 2", "C 1 2 3 4", "C 1 x 3", "C 1 2 3 ", "F 1 2 3 4",
                             "O 1 7 BOT1 ACME 2 2 3 10000", "O 1 7 BOT1 ACME 2 2 3 10000 50 9"})
        EXPECT_FALSE(parse_record(line)) << line;
    EXPECT_TRUE(parse_record("C 1 2 3"));
}

TEST(Journal, a_cut_off_last_line_is_told) {
    int records = 0;
    const auto count = [&](const Record&) { ++records; };
    EXPECT_FALSE(for_each_record("C 1 2 3\nC 1 2", count));
    EXPECT_EQ(records, 1);
    EXPECT_FALSE(for_each_record("C 1 2 3\nrubbish\nC 1 2 3\n", count));
    EXPECT_EQ(records, 2);
}

TEST(Journal, appends_to_a_file) {
    const std::string path = testing::TempDir() + "exchange_journal_test";
    std::remove(path.c_str());
    for (int i = 0; i < 2; ++i) {
        auto journal = Journal::open(path);
        ASSERT_TRUE(journal);
        append_three(*journal);
        EXPECT_TRUE(journal->flush());
    }
    std::ifstream file{path};
    const std::string text{std::istreambuf_iterator<char>{file}, {}};
    EXPECT_EQ(text, std::string{three_lines} + three_lines);
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
    append_three(*journal);
    EXPECT_EQ(journal->flush().error(), std::errc::no_space_on_device);
}

TEST(Journal, allocates_nothing_for_short_names) {
    Journal journal;
    append_three(journal);
    const std::size_t before = allocations;
    for (int i = 0; i < 100; ++i) append_three(journal);
    EXPECT_EQ(allocations, before);
}

} // namespace
} // namespace exchange::test
