#pragma once

#include <array>
#include <cstdint>

#include "busbar.hpp"

/// Names the store in which the host keeps what is acknowledged. Sequences that were counted in another one say nothing.
using Space = std::array<uint8_t, 16>;

/// That of the component's data folder, in which it is kept; all zeros where the component has none. Throws Failed.
Space read_space(const busbar::Context &context);
