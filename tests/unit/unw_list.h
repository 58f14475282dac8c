TEST(unw_agrees_with_backtrace),
