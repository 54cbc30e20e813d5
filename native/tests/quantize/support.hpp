// What the tests of the quantisation room share.
#pragma once

#include <string>

#include "tests/json.hpp"
