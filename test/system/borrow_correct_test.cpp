// Sixteen programs that keep the borrow rules with real fibers, and hear nothing: no exception, and (the fixture looks)
// no violation that was counted. Strict where it does not say otherwise.
#include "test/system/borrow_programs.hpp"

#include <stdexcept>

using namespace std::chrono_literals;

namespace borrow_programs {

class Correct : public Programs {
protected:
    /// Runs the handler as a fiber and returns its value; an exception fails the test.
    template <class F, class... Args>
    int value_of(F handler, Args&&... args) {
        int value = -1;
        EXPECT_NO_THROW(value = runtime().block_on([&] {
            return nexus::spawn({.name = "session-7"}, handler, std::forward<Args>(args)...).join();
        }));
        return value;
    }
};

class CorrectWhenNotStrict : public Correct {
protected:
    using Correct::configure;
    void configure(nexus::RuntimeOptions& options) override { options.strict_borrows = false; }
};

TEST_F(Correct, C01_handles_live_across_waits) {
    EXPECT_EQ(value_of([](nexus::ResMut<Book> book, nexus::Res<Risk> risk) {
                  nexus::sleep(1ms);
                  book->last = risk->limit;
                  nexus::yield_now();
                  return book->last;
              }),
              10);
}

TEST_F(Correct, C02_guards_end_before_the_wait) {
    EXPECT_EQ(value_of([](nexus::ResMut<Book> book) {
                  {
                      auto guard = book.borrow();
                      for (int& order : guard->orders) ++order;
                  }
                  nexus::sleep(1ms);
                  return book->orders.front();
              }),
              2);
}

TEST_F(Correct, C03_what_the_wait_needs_is_copied) {
    EXPECT_EQ(value_of([](nexus::ResMut<Book> book) {
                  const auto pause = std::chrono::milliseconds(book->orders.front());
                  nexus::sleep(pause);
                  return book->last;
              }),
              0);
}

TEST_F(Correct, C04_with_returns_what_is_waited_with) {
    EXPECT_EQ(value_of([](nexus::ResMut<Book> book) {
                  const int order = book.with([](Book& mine) { return mine.orders.back(); });
                  nexus::sleep(std::chrono::milliseconds(order));
                  return order;
              }),
              3);
}

TEST_F(Correct, C05_received_before_it_is_used) {
    EXPECT_EQ(value_of([](nexus::ResMut<Book> book) {
                  auto [orders, receiver] = nexus::local::channel<int>(4);
                  auto sender = nexus::spawn([tx = std::move(orders)] { (void)tx.send(7); });
                  const int order = receiver.recv().value();
                  book->add(order);
                  sender.join();
                  return book->orders.back();
              }),
              7);
}

TEST_F(CorrectWhenNotStrict, C06_shared_guard_across_a_wait) {
    EXPECT_EQ(value_of([](nexus::Res<Book> book) {
                  auto guard = book.borrow();
                  nexus::sleep(1ms);
                  return guard->orders.front();
              }),
              1);
}

TEST_F(CorrectWhenNotStrict, C07_fibers_read_together_across_waits) {
    EXPECT_EQ(value_of([] {
                  const auto read = [](nexus::Res<Book> book) {
                      auto guard = book.borrow();
                      nexus::sleep(1ms);
                      return guard->orders.front();
                  };
                  auto first = nexus::spawn(read);
                  auto second = nexus::spawn(read);
                  return first.join() + second.join();
              }),
              2);
}

TEST_F(Correct, C08_constants_are_referred_to_across_waits) {
    EXPECT_EQ(value_of([](nexus::ConstRes<Upstream> upstream) {
                  const std::string& address = upstream->address;
                  nexus::sleep(1ms);
                  return static_cast<int>(address.size());
              }),
              11);
}

TEST_F(Correct, C09_local_state_across_waits) {
    EXPECT_EQ(value_of([](nexus::Local<int> count) {
                  int& mine = *count;
                  for (int i = 0; i < 3; ++i) {
                      ++mine;
                      nexus::yield_now();
                  }
                  return mine;
              }),
              3);
}

TEST_F(Correct, C10_what_cannot_suspend_is_free_under_a_borrow) {
    EXPECT_EQ(value_of([](nexus::ResMut<Book> book) {
                  auto [orders, receiver] = nexus::local::channel<int>(8);
                  nexus::Notify told;
                  nexus::CancellationToken stop;
                  auto guard = book.borrow();
                  for (const int order : guard->orders) (void)orders.try_send(order);
                  while (auto order = receiver.try_recv()) guard->last += *order;
                  told.notify_one();
                  stop.cancel();
                  return guard->last;
              }),
              6);
}

TEST_F(Correct, C11_spawn_and_abort_under_a_borrow) {
    EXPECT_EQ(value_of([](nexus::ResMut<Book> book) {
                  nexus::JoinHandle<int> child;
                  {
                      auto guard = book.borrow();
                      nexus::JoinHandle<void> doomed = nexus::spawn([] { nexus::sleep(1h); });
                      child = nexus::spawn([](nexus::ResMut<Book> same) { return ++same->last; });
                      (void)doomed.abort();
                      doomed.detach();
                      guard->last = 40;
                  }
                  return child.join();
              }),
              41);
}

TEST_F(Correct, C12_deep_call_on_the_loop_stack_with_a_guard) {
    EXPECT_EQ(value_of([](nexus::ResMut<Book> book, nexus::Res<Risk> risk) {
                  auto guard = book.borrow();
                  return nexus::on_loop_stack([&] { return guard->orders.front() + risk->limit; });
              }),
              11);
}

TEST_F(Correct, C13_exceptions_end_borrows) {
    EXPECT_EQ(value_of([](nexus::ResMut<Book> book) {
                  try {
                      auto guard = book.borrow();
                      throw std::runtime_error("rejected");
                  } catch (const std::runtime_error&) {
                      nexus::sleep(1ms);
                      book->last = 5;
                  }
                  return book->last;
              }),
              5);
}

TEST_F(Correct, C14_destructors_of_an_aborted_fiber_write) {
    struct Farewell {
        nexus::ResMut<Book> book;
        ~Farewell() { book->last = 9; }
    };
    EXPECT_EQ(value_of([](nexus::Res<Book> book) {
                  auto session = nexus::spawn([](nexus::ResMut<Book> mine) {
                      const Farewell farewell{mine};
                      nexus::sleep(1h);
                  });
                  nexus::sleep(1ms);
                  EXPECT_TRUE(session.abort());
                  EXPECT_THROW(session.join(), nexus::TaskAborted);
                  return book->last;
              }),
              9);
}

TEST_F(Correct, C15_fibers_take_turns_in_writing) {
    EXPECT_EQ(value_of([](nexus::Res<Book> book) {
                  nexus::TaskGroup sessions;
                  for (int session = 0; session < 8; ++session) {
                      sessions.spawn(
                          [](nexus::ResMut<Book> mine, int id) {
                              for (int i = 0; i < 10; ++i) {
                                  mine->last += id;
                                  nexus::yield_now();
                              }
                          },
                          session);
                  }
                  sessions.join_all();
                  return book->last;
              }),
              280);
}

TEST_F(Correct, C16_composite_between_waits_and_inside_a_scope) {
    EXPECT_EQ(value_of([](Desk desk) {
                  const auto done = nexus::timeout(1s, [&] {
                      for (int i = 0; i < 3; ++i) {
                          desk.book->last += desk.risk->limit;
                          nexus::sleep(1ms);
                      }
                  });
                  EXPECT_TRUE(done.has_value());
                  return desk.book->last;
              }),
              30);
}

} // namespace borrow_programs
