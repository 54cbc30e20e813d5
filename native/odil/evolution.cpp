#include "odil/evolution.hpp"

#include <algorithm>

namespace dd::odil {
namespace {

/// What one region reads of the state, relative to its own rows.
struct Reading {
  bool any = false;
  std::int32_t first = 0, last = 0;  ///< shifts along time
  bool own_point = false;            ///< has a derivative by its own point of the row `last`
  bool zero = false;
};

Reading reading_of(Graph& graph, const GridBlock& block, std::size_t region) {
  Reading reading;
  const NodeId root = block.regions()[region].root;
  reading.zero = graph.is_constant(root, 0);
  const std::vector<bool> needed = reachable(graph, std::vector{root});
  for (NodeId id = 0; id < needed.size(); ++id) {
    if (!needed[id] || graph[id].op != Op::access || graph[id].id != 0) continue;
    const std::int32_t shift = graph[id].shift[0];
    reading.first = reading.any ? std::min(reading.first, shift) : shift;
    reading.last = reading.any ? std::max(reading.last, shift) : shift;
    reading.any = true;
  }
  if (!reading.any) return reading;
  Shift own{};
  own[0] = reading.last;
  for (const auto& [coefficient, value] : block.derivatives(graph, region).fields) {
    reading.own_point = reading.own_point || (coefficient.field == 0 && coefficient.shift == own);
  }
  return reading;
}

/// One block, row by row.
struct BlockReading {
  std::vector<ResidualRow> rows;
  std::vector<std::int32_t> determines;  ///< a row of the state that this row could determine, or -1
  bool connects_rows = false;
};

BlockReading read_block(Graph& graph, const Problem& problem, std::size_t number) {
  const GridBlock& block = *problem.grid_block(number);
  const Shape& shape = block.shape();
  const Shape& state = problem.description().fields[0].shape;
  bool same_points = shape.axes == state.axes;
  for (std::size_t axis = 1; same_points && axis < shape.axes; ++axis) {
    same_points = shape.count[axis] == state.count[axis];
  }
  BlockReading result;
  const auto count = static_cast<std::size_t>(shape.count[0]);
  result.rows.resize(count);
  result.determines.assign(count, -1);
  std::vector<bool> touched(count, false), possible(count, same_points);
  for (ResidualRow& row : result.rows) row.zero = true;
  for (std::size_t r = 0; r < block.regions().size(); ++r) {
    const Reading reading = reading_of(graph, block, r);
    const Box& box = block.regions()[r].box;
    for (std::int32_t i = box.begin[0]; i < box.end[0]; ++i) {
      const auto k = static_cast<std::size_t>(i);
      ResidualRow& row = result.rows[k];
      row.zero = row.zero && reading.zero;
      if (reading.any) row.last_read = std::max(row.last_read, i + reading.last);
      const std::int32_t own = reading.own_point ? i + reading.last : -1;
      possible[k] = possible[k] && own >= 0 && (!touched[k] || result.determines[k] == own);
      result.determines[k] = own;
      touched[k] = true;
      result.connects_rows = result.connects_rows || (reading.any && reading.first < reading.last);
    }
  }
  for (std::size_t k = 0; k < count; ++k) {
    // A region that reads a later row than its neighbours would make the row depend on what is not known yet.
    if (!possible[k] || result.determines[k] != result.rows[k].last_read) result.determines[k] = -1;
  }
  return result;
}

/// Takes the rows that `block` could determine and nobody has; how many.
std::size_t take(const BlockReading& block, std::size_t number, Evolution& evolution) {
  std::size_t taken = 0;
  for (std::size_t k = 0; k < block.determines.size(); ++k) {
    if (block.determines[k] < 0) continue;
    auto& equation = evolution.equations[static_cast<std::size_t>(block.determines[k])];
    if (equation) continue;
    equation = BlockRow{number, static_cast<std::int32_t>(k)};
    ++taken;
  }
  return taken;
}

/// Every row that is not 0 determines one of the rows that are left.
bool completes(const BlockReading& block, const Evolution& evolution) {
  bool any = false;
  for (std::size_t k = 0; k < block.rows.size(); ++k) {
    if (block.rows[k].zero) continue;
    if (block.determines[k] < 0 || evolution.equations[static_cast<std::size_t>(block.determines[k])]) return false;
    any = true;
  }
  return any;
}

/// Rows of the state that no equation determines although something reads them.
std::optional<std::size_t> undetermined(const Problem& problem, const std::vector<BlockReading>& blocks,
                                        const Evolution& evolution) {
  std::vector<bool> read(evolution.rows, false);
  for (std::size_t b = 0; b < blocks.size(); ++b) {
    if (const ScalarBlock* const scalar = problem.scalar_block(b)) {
      for (const ScalarDerivative& entry : scalar->derivatives()) {
        if (!entry.parameter) read[entry.flat / evolution.row_points] = true;
      }
      continue;
    }
    const GridBlock& block = *problem.grid_block(b);
    for (std::size_t r = 0; r < block.regions().size(); ++r) {
      const std::vector<bool> needed = reachable(problem.description().graph, std::vector{block.regions()[r].root});
      for (NodeId id = 0; id < needed.size(); ++id) {
        const Node& node = problem.description().graph[id];
        if (!needed[id] || node.op != Op::access || node.id != 0) continue;
        const Box& box = block.regions()[r].box;
        const std::int32_t first = box.begin[0] + node.shift[0], end = box.end[0] + node.shift[0];
        std::fill(read.begin() + first, read.begin() + end, true);
      }
    }
  }
  for (std::size_t row = 0; row < evolution.rows; ++row) {
    if (read[row] && !evolution.equations[row]) return row;
  }
  return std::nullopt;
}

bool same_row_points(const Shape& a, const Shape& b) {
  return a.axes == b.axes && std::equal(a.count.begin() + 1, a.count.end(), b.count.begin() + 1);
}

EvolutionSearch none(std::string reason) { return {std::nullopt, std::move(reason)}; }

EvolutionSearch search(Graph& graph, const Problem& problem, std::optional<std::size_t> chosen) {
  const ProblemDescription& description = problem.description();
  if (description.fields.size() != 1) return none("there is more than one field");
  if (!description.totals.empty()) return none("a total couples all times");
  if (description.periodic[0]) return none("the first axis, " + description.axis_names[0] + ", is periodic");
  Evolution evolution;
  const Shape& state = description.fields[0].shape;
  evolution.rows = static_cast<std::size_t>(state.count[0]);
  evolution.row_points = state.points() / evolution.rows;
  evolution.equations.resize(evolution.rows);

  std::vector<BlockReading> blocks(description.blocks.size());
  std::optional<std::size_t> best = chosen;
  std::size_t most = 0;
  for (std::size_t b = 0; b < blocks.size(); ++b) {
    if (description.blocks[b].raw) return none("`" + description.blocks[b].name + "` is raw: no squares");
    if (description.blocks[b].scalar) continue;
    blocks[b] = read_block(graph, problem, b);
    const auto rows = static_cast<std::size_t>(std::count_if(blocks[b].determines.begin(), blocks[b].determines.end(),
                                                             [](std::int32_t row) { return row >= 0; }));
    if (chosen || !blocks[b].connects_rows || rows <= most) continue;
    best = b;
    most = rows;
  }
  const std::string& axis = description.axis_names[0];
  if (!best) return none("no block connects rows of the first axis, " + axis + ", without reading later ones");
  const std::string& name = description.blocks[*best].name;
  if (description.blocks[*best].scalar || take(blocks[*best], *best, evolution) == 0) {
    return none("`" + name + "` determines no row of `" + description.fields[0].name + "` from earlier ones");
  }
  evolution.block = *best;
  for (std::size_t b = 0; b < blocks.size(); ++b) {
    if (b != *best && completes(blocks[b], evolution)) take(blocks[b], b, evolution);
  }
  if (const auto row = undetermined(problem, blocks, evolution)) {
    return none("no equation determines row " + std::to_string(*row) + " of `" + description.fields[0].name + "`");
  }
  for (const auto& equation : evolution.equations) {
    if (equation) blocks[equation->block].rows[static_cast<std::size_t>(equation->row)].equation = true;
  }
  for (std::size_t b = 0; b < blocks.size(); ++b) {
    evolution.has_data = evolution.has_data || description.blocks[b].scalar;
    const bool data = std::any_of(blocks[b].rows.begin(), blocks[b].rows.end(),
                                  [](const ResidualRow& row) { return !(row.zero || row.equation); });
    evolution.has_data = evolution.has_data || data;
    if (data && !description.blocks[b].scalar && !same_row_points(problem.grid_block(b)->shape(), state)) {
      evolution.other_points = b;
    }
    evolution.residuals.push_back(std::move(blocks[b].rows));
  }
  return {std::move(evolution), {}};
}

}  // namespace

EvolutionSearch find_evolution(const Problem& problem, std::optional<std::size_t> block) {
  EvolutionSearch found;
  problem.with_graph([&](Graph& graph) { found = search(graph, problem, block); });
  return found;
}

}  // namespace dd::odil
