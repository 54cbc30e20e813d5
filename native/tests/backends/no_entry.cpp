// A library that is no back end.
extern "C" __attribute__((visibility("default"))) int discrete_descent_something_else() { return 0; }
