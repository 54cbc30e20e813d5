#include "odil/data_operator.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "core/reductions.hpp"
#include "core/thread_pool.hpp"
#include "linalg/stencil_rows.hpp"

namespace dd::odil {
namespace {

constexpr std::size_t kept_coefficient_bytes = std::size_t{64} << 20;
constexpr std::size_t grain = 32768;

template <class T>
double row_dot(const T* a, const T* b, std::size_t points) {
  return dot(std::span<const T>(a, points), std::span<const T>(b, points), 1);
}

}  // namespace

template <class T>
DataOperator<T>::DataOperator(const Problem& problem, const Evolution& evolution, std::vector<double> scales,
                              std::size_t reach)
    : problem_(problem), evolution_(evolution), scales_(std::move(scales)), reach_(reach) {
  const Shape& state = problem.description().fields[0].shape;
  const std::size_t parameters = problem.description().parameters;
  if (evolution.other_points) {
    const std::string& name = problem.description().blocks[*evolution.other_points].name;
    throw Error(ErrorCode::invalid_argument_value, name,
                "`" + name + "` has other points in a row of time than `" + problem.description().fields[0].name +
                    "`, which 'control-space' cannot use: choose 'gauss-newton'");
  }
  direct_rows_.assign(parameters, {evolution.rows, 0});
  problem.with_graph([&](Graph& graph) {
    for (std::size_t b = 0; b < problem.description().blocks.size(); ++b) {
      if (problem.description().blocks[b].scalar) {
        scalar_.push_back(b);
        continue;
      }
      const auto& rows = evolution.residuals[b];
      if (std::all_of(rows.begin(), rows.end(), [](const ResidualRow& row) { return row.zero || row.equation; })) {
        continue;
      }
      const Shape& shape = problem.grid_block(b)->shape();
      Block block;
      block.number = b;
      block.program = std::make_unique<RowProgram>(graph, problem, b);
      const bool pointwise = block.program->is_pointwise() && shape.count[0] <= state.count[0];
      reach_ = std::max(reach_, block.program->reach());
      for (const RowProgram::Stretch& stretch : block.program->stretches()) {
        for (const std::int32_t parameter : stretch.parameters) {
          auto& [first, last] = direct_rows_[static_cast<std::size_t>(parameter)];
          first = pointwise ? std::min(first, static_cast<std::size_t>(stretch.begin)) : 0;
          last = pointwise ? std::max(last, static_cast<std::size_t>(stretch.end)) : evolution.rows;
        }
      }
      block.coefficients = std::make_unique<RowCoefficients<T>>(*block.program, pointwise ? 0 : kept_coefficient_bytes);
      (pointwise ? pointwise_ : banded_).push_back(std::move(block));
    }
  });
  for (const std::size_t b : scalar_) {
    std::vector<bool> moves(problem.scalar_block(b)->residuals(), false);
    for (const ScalarDerivative& entry : problem.scalar_block(b)->derivatives()) {
      if (!entry.parameter) moves[entry.root] = true;
    }
    for (const ScalarDerivative& entry : problem.scalar_block(b)->derivatives()) {
      // A number that depends on the state and on a parameter connects them wherever the state is read.
      if (entry.parameter && moves[entry.root]) direct_rows_[entry.number] = {0, evolution.rows};
    }
  }
  find_rows();
  if (!pointwise_.empty()) diagonal_ = AlignedBuffer<T>(rows_ * evolution.row_points, T(0));
}

template <class T>
void DataOperator<T>::find_rows() {
  std::size_t first = evolution_.rows, end = 0;
  const auto reads = [&](std::size_t row) {
    first = std::min(first, row);
    end = std::max(end, row + 1);
  };
  for (const std::vector<Block>* blocks : {&pointwise_, &banded_}) {
    for (const Block& block : *blocks) {
      for (std::size_t row = 0; row < evolution_.residuals[block.number].size(); ++row) {
        if (!is_data(block, row)) continue;
        const auto at = static_cast<std::int32_t>(row);
        for (const auto& term : block.program->stretches()[block.program->stretch_of(at)].terms) {
          reads(static_cast<std::size_t>(std::ptrdiff_t{at} + term.time));
        }
      }
    }
  }
  for (const std::size_t b : scalar_) {
    for (const ScalarDerivative& entry : problem_.scalar_block(b)->derivatives()) {
      if (entry.parameter) continue;
      reads(entry.flat / evolution_.row_points);
      sums_ = true;
    }
  }
  first_row_ = std::min(first, end);
  rows_ = end - first_row_;
}

template <class T>
bool DataOperator<T>::is_data(const Block& block, std::size_t row) const noexcept {
  const auto& rows = evolution_.residuals[block.number];
  return row < rows.size() && !rows[row].zero && !rows[row].equation;
}

template <class T>
void DataOperator<T>::multiply(const RowView<T>& bands, std::int32_t row, std::size_t points, const T* state, T* out) {
  std::vector<const T*> coefficients, sources;
  const auto row_of = [&](std::int32_t time) { return (row + time) * static_cast<std::ptrdiff_t>(points); };
  for (const auto& band : bands.bands) {
    coefficients.push_back(band.coefficient);
    sources.push_back(state + row_of(band.time) + band.offset);
  }
  linalg::stencil_apply(
      linalg::StencilApply<T>{{coefficients.data(), sources.data(), coefficients.size(), 0, points}, nullptr, out});
  for (const auto& entry : bands.wrapped) {
    out[entry.point] += entry.coefficient * state[row_of(entry.time) + entry.column];
  }
}

template <class T>
void DataOperator<T>::add_transposed(const RowView<T>& bands, std::int32_t row, std::size_t points, const T* in,
                                     T* state) {
  for (const auto& band : bands.bands) {
    T* const to = state + (row + band.time) * static_cast<std::ptrdiff_t>(points) + band.offset;
    for (std::size_t i = 0; i < points; ++i) to[i] += band.coefficient[i] * in[i];
  }
  for (const auto& entry : bands.wrapped) {
    state[(row + entry.time) * static_cast<std::ptrdiff_t>(points) + entry.column] +=
        entry.coefficient * in[entry.point];
  }
}

/// Fields D^T S for every parameter that has any.
template <class T>
void DataOperator<T>::prepare_fields(std::vector<RowRangeField<T>>& sensitivities, Elimination<T>& elimination) const {
  const std::size_t p = sensitivities.size(), points = evolution_.row_points;
  elimination.normal.assign(p * p, 0);
  elimination.slope.assign(p, 0);
  elimination.fields.clear();
  elimination.fields.resize(p);
  for (std::size_t k = 0; k < p; ++k) {
    RowRangeField<T>& field = elimination.fields[k];
    const bool moves = sensitivities[k].rows > 0;
    field.first_row = moves ? first_row_ : std::max(first_row_, direct_rows_[k].first);
    const std::size_t end = std::min(first_row_ + rows_, moves ? evolution_.rows : direct_rows_[k].second);
    field.rows = end > field.first_row ? end - field.first_row : 0;
    // Where data are pointwise, D^T S takes the place of the sensitivity row by row.
    const bool in_place = banded_.empty() && moves;
    if (!in_place && field.rows > 0) field.values = StateVector<T>(field.rows * points, reach_);
  }
}

template <class T>
void DataOperator<T>::add_scalar_blocks(const PointSources<T>& sources, std::span<const double> factors,
                                        const std::vector<RowRangeField<T>>& sensitivities,
                                        std::vector<std::vector<double>>& products, Elimination<T>& elimination) {
  const std::size_t p = sensitivities.size();
  scalar_rows_.clear();
  products.clear();
  for (const std::size_t b : scalar_) {
    const ScalarBlock& block = *problem_.scalar_block(b);
    std::vector<double> residuals(block.residuals()), values(block.derivatives().size());
    block.evaluate<T>(sources.operands, sources.parameters, residuals);
    block.evaluate_derivatives<T>(sources.operands, sources.parameters, values);
    const std::size_t first = scalar_rows_.size();
    for (const double residual : residuals) scalar_rows_.push_back({{}, {}, residual, scales_[b]});
    for (std::size_t e = 0; e < values.size(); ++e) {
      const ScalarDerivative& entry = block.derivatives()[e];
      ScalarRow& row = scalar_rows_[first + entry.root];
      if (entry.parameter) {
        row.direct.emplace_back(entry.number, values[e] * factors[entry.number]);
      } else {
        row.state.emplace_back(entry.flat, values[e]);
      }
    }
  }
  for (const ScalarRow& row : scalar_rows_) {
    std::vector<double> product(p, 0);
    for (const auto& [parameter, value] : row.direct) product[parameter] += value;
    for (std::size_t k = 0; k < p; ++k) {
      if (sensitivities[k].rows == 0) continue;
      const T* const moved = sensitivities[k].values.data();
      for (const auto& [place, value] : row.state) {
        product[k] += value * static_cast<double>(moved[place - first_row_ * evolution_.row_points]);
      }
    }
    for (std::size_t k = 0; k < p; ++k) {
      elimination.slope[k] += row.scale * product[k] * row.residual;
      for (std::size_t l = 0; l < p; ++l) elimination.normal[k * p + l] += row.scale * product[k] * product[l];
    }
    products.push_back(std::move(product));
  }
}

template <class T>
void DataOperator<T>::add_band_blocks(const PointSources<T>& sources, std::span<const double> factors,
                                      const std::vector<RowRangeField<T>>& sensitivities, std::span<T> gradient,
                                      Elimination<T>& elimination, std::size_t threads) {
  const std::size_t p = sensitivities.size(), points = evolution_.row_points;
  std::vector<AlignedBuffer<T>> products(p), columns(p);
  for (std::size_t k = 0; k < p; ++k) products[k] = AlignedBuffer<T>(points, T(0));
  for (std::size_t k = 0; k < p; ++k) columns[k] = AlignedBuffer<T>(points, T(0));
  AlignedBuffer<T> residual(points, T(0));
  for (Block& block : banded_) {
    block.coefficients->linearise(sources, threads);
    const double scale = scales_[block.number];
    const auto rows = static_cast<std::size_t>(block.program->block().shape().count[0]);
    for (std::size_t row = 0; row < rows; ++row) {
      if (!is_data(block, row)) continue;
      const auto at = static_cast<std::int32_t>(row);
      const RowView<T>& bands = block.coefficients->row(at, threads);
      block.program->block().template evaluate_row<T>(sources, at, residual.data(), threads);
      const auto& stretch = block.program->stretches()[block.program->stretch_of(at)];
      std::vector<T*> targets;
      for (std::size_t c = 0; c < stretch.parameters.size(); ++c) targets.push_back(columns[c].data());
      block.coefficients->parameters(at, targets, threads);
      std::vector<bool> moves(p, false);
      for (std::size_t k = 0; k < p; ++k) {
        if (sensitivities[k].rows == 0) continue;
        multiply(bands, at - static_cast<std::int32_t>(first_row_), points, sensitivities[k].values.data(),
                 products[k].data());
        moves[k] = true;
      }
      for (std::size_t c = 0; c < stretch.parameters.size(); ++c) {
        const auto k = static_cast<std::size_t>(stretch.parameters[c]);
        const T factor = static_cast<T>(factors[k]);
        for (std::size_t i = 0; i < points; ++i) {
          products[k][i] = (moves[k] ? products[k][i] : T(0)) + factor * columns[c][i];
        }
        moves[k] = true;
      }
      for (std::size_t i = 0; i < points; ++i) residual[i] *= static_cast<T>(scale);
      add_transposed(bands, at, points, residual.data(), gradient.data());
      for (std::size_t k = 0; k < p; ++k) {
        if (!moves[k]) continue;
        elimination.slope[k] += row_dot(products[k].data(), residual.data(), points);
        for (std::size_t l = 0; l < p; ++l) {
          if (moves[l])
            elimination.normal[k * p + l] += scale * row_dot(products[k].data(), products[l].data(), points);
        }
      }
      for (std::size_t k = 0; k < p; ++k) {
        if (!moves[k]) continue;
        for (std::size_t i = 0; i < points; ++i) products[k][i] *= static_cast<T>(scale);
        RowRangeField<T>& field = elimination.fields[k];
        add_transposed(bands, at - static_cast<std::int32_t>(field.first_row), points, products[k].data(),
                       field.values.data());
      }
    }
  }
}

template <class T>
void DataOperator<T>::add_pointwise_blocks(const PointSources<T>& sources, std::span<const double> factors,
                                           std::vector<RowRangeField<T>>& sensitivities, std::span<T> gradient,
                                           Elimination<T>& elimination, std::size_t threads) {
  const std::size_t p = sensitivities.size(), points = evolution_.row_points;
  AlignedBuffer<T> residual(points, T(0)), slope(points, T(0));
  std::vector<AlignedBuffer<T>> columns(p), direct(p), products(p);
  for (Block& block : pointwise_) block.coefficients->linearise(sources, threads);
  for (std::size_t row = first_row_; row < first_row_ + rows_; ++row) {
    const std::size_t local = (row - first_row_) * points;
    T* const diagonal = diagonal_.data() + local;
    std::fill(diagonal, diagonal + points, T(0));
    std::fill(slope.begin(), slope.end(), T(0));
    std::vector<bool> has_direct(p, false);
    bool any = false;
    for (Block& block : pointwise_) {
      if (!is_data(block, row)) continue;
      any = true;
      const auto at = static_cast<std::int32_t>(row);
      const T scale = static_cast<T>(scales_[block.number]);
      const RowView<T>& bands = block.coefficients->row(at, threads);
      block.program->block().template evaluate_row<T>(sources, at, residual.data(), threads);
      const T* const own = bands.bands.empty() ? nullptr : bands.bands[0].coefficient;
      if (own != nullptr) {
        for (std::size_t i = 0; i < points; ++i) {
          diagonal[i] += scale * own[i] * own[i];
          slope[i] += scale * own[i] * residual[i];
        }
      }
      const auto& stretch = block.program->stretches()[block.program->stretch_of(at)];
      if (stretch.parameters.empty()) continue;
      std::vector<T*> targets;
      for (std::size_t c = 0; c < stretch.parameters.size(); ++c) {
        columns[c].reserve_discarding(points);
        targets.push_back(columns[c].data());
      }
      block.coefficients->parameters(at, targets, threads);
      for (std::size_t c = 0; c < stretch.parameters.size(); ++c) {
        const auto k = static_cast<std::size_t>(stretch.parameters[c]);
        const T factor = static_cast<T>(factors[k]);
        for (std::size_t i = 0; i < points; ++i) columns[c][i] *= factor;
        if (!has_direct[k]) direct[k] = AlignedBuffer<T>(points, T(0));
        has_direct[k] = true;
        if (own != nullptr) {
          for (std::size_t i = 0; i < points; ++i) direct[k][i] += scale * own[i] * columns[c][i];
        }
        elimination.slope[k] += static_cast<double>(scale) * row_dot(columns[c].data(), residual.data(), points);
        for (std::size_t d = 0; d < stretch.parameters.size(); ++d) {
          // The later column is not scaled yet while its turn has not come.
          if (d > c) continue;
          const auto l = static_cast<std::size_t>(stretch.parameters[d]);
          const double value = static_cast<double>(scale) * row_dot(columns[c].data(), columns[d].data(), points);
          elimination.normal[k * p + l] += value;
          if (c != d) elimination.normal[l * p + k] += value;
        }
      }
    }
    T* const to = gradient.data() + row * points;
    for (std::size_t i = 0; i < points; ++i) to[i] += slope[i];

    // D^T S of the row: the diagonal times the sensitivity, and the direct part.
    std::vector<const T*> moved(p, nullptr);
    std::vector<const T*> field(p, nullptr);
    for (std::size_t k = 0; k < p; ++k) {
      if (sensitivities[k].rows > 0) moved[k] = sensitivities[k].values.data() + local;
    }
    ThreadPool::shared().run_tasks(points < grain ? 1 : threads, p, [&](std::size_t k) {
      if (!any || (moved[k] == nullptr && !has_direct[k])) return;
      products[k].reserve_discarding(points);
      T* const out = products[k].data();
      for (std::size_t i = 0; i < points; ++i) {
        out[i] = (moved[k] != nullptr ? diagonal[i] * moved[k][i] : T(0)) + (has_direct[k] ? direct[k][i] : T(0));
      }
      field[k] = out;
    });
    std::vector<double> sums(p * p, 0);
    ThreadPool::shared().run_tasks(points < grain ? 1 : threads, p, [&](std::size_t k) {
      if (moved[k] != nullptr && any) sums[k * p + k] = 0;
      for (std::size_t l = 0; l < p; ++l) {
        // (D u_k + e_k)^T (D u_l + e_l) without the part that is direct in both.
        double value = 0;
        if (l <= k && moved[k] != nullptr && field[l] != nullptr) value += row_dot(moved[k], field[l], points);
        if (l <= k && has_direct[k] && moved[l] != nullptr) value += row_dot(direct[k].data(), moved[l], points);
        sums[k * p + l] = value;
      }
    });
    for (std::size_t k = 0; k < p; ++k) {
      for (std::size_t l = 0; l <= k; ++l) {
        elimination.normal[k * p + l] += sums[k * p + l];
        if (l != k) elimination.normal[l * p + k] += sums[k * p + l];
      }
      if (moved[k] != nullptr && any) elimination.slope[k] += row_dot(moved[k], slope.data(), points);
    }
    for (std::size_t k = 0; k < p; ++k) {
      RowRangeField<T>& target = elimination.fields[k];
      const bool in_place = target.values.span().empty();
      if (in_place && moved[k] != nullptr) {
        T* const own = sensitivities[k].values.data() + local;
        if (field[k] != nullptr) {
          std::copy(field[k], field[k] + points, own);
        } else {
          std::fill(own, own + points, T(0));
        }
      } else if (field[k] != nullptr && row >= target.first_row && row < target.first_row + target.rows) {
        T* const own = target.values.data() + (row - target.first_row) * points;
        for (std::size_t i = 0; i < points; ++i) own[i] += field[k][i];
      }
    }
  }
}

template <class T>
void DataOperator<T>::linearise(const PointSources<T>& sources, std::span<const double> factors,
                                std::vector<RowRangeField<T>> sensitivities, std::span<T> gradient,
                                Elimination<T>& elimination, std::size_t threads) {
  prepare_fields(sensitivities, elimination);
  std::fill(gradient.begin(), gradient.end(), T(0));
  std::vector<std::vector<double>> products;  // of scalar rows, whose fields are added last
  add_scalar_blocks(sources, factors, sensitivities, products, elimination);
  if (!banded_.empty()) add_band_blocks(sources, factors, sensitivities, gradient, elimination, threads);
  if (!pointwise_.empty()) {
    add_pointwise_blocks(sources, factors, sensitivities, gradient, elimination, threads);
  } else if (banded_.empty()) {
    for (RowRangeField<T>& sensitivity : sensitivities)
      std::fill(sensitivity.values.span().begin(), sensitivity.values.span().end(), T(0));
  }
  for (std::size_t k = 0; k < sensitivities.size(); ++k) {
    RowRangeField<T>& field = elimination.fields[k];
    if (field.values.span().empty() && field.rows > 0) field.values = std::move(sensitivities[k].values);
  }
  for (std::size_t r = 0; r < scalar_rows_.size(); ++r) {
    const ScalarRow& row = scalar_rows_[r];
    for (const auto& [place, value] : row.state) {
      gradient[place] += static_cast<T>(row.scale * value * row.residual);
      for (std::size_t k = 0; k < sensitivities.size(); ++k) {
        if (products[r][k] == 0) continue;
        const RowRangeField<T>& field = elimination.fields[k];
        elimination.fields[k].values.data()[place - field.first_row * evolution_.row_points] +=
            static_cast<T>(row.scale * value * products[r][k]);
      }
    }
  }
}

template <class T>
void DataOperator<T>::multiply_normal(const T* state, T* result, std::size_t threads) {
  const std::size_t points = evolution_.row_points, first = first_row_ * points, end = first + rows_ * points;
  std::fill(result, result + first, T(0));
  std::fill(result + end, result + evolution_.rows * points, T(0));
  parallel_for(threads, end - first, grain, [&](std::size_t chunk_begin, std::size_t chunk_end) {
    for (std::size_t i = chunk_begin; i < chunk_end; ++i) {
      result[first + i] = pointwise_.empty() ? T(0) : diagonal_[i] * state[first + i];
    }
  });
  AlignedBuffer<T> product(banded_.empty() ? 0 : points);
  for (Block& block : banded_) {
    const T scale = static_cast<T>(scales_[block.number]);
    const auto rows = static_cast<std::size_t>(block.program->block().shape().count[0]);
    for (std::size_t row = 0; row < rows; ++row) {
      if (!is_data(block, row)) continue;
      const auto at = static_cast<std::int32_t>(row);
      const RowView<T>& bands = block.coefficients->row(at, threads);
      multiply(bands, at, points, state, product.data());
      for (std::size_t i = 0; i < points; ++i) product[i] *= scale;
      add_transposed(bands, at, points, product.data(), result);
    }
  }
  for (const ScalarRow& row : scalar_rows_) {
    double moved = 0;
    for (const auto& [place, value] : row.state) moved += value * static_cast<double>(state[place]);
    for (const auto& [place, value] : row.state) result[place] += static_cast<T>(row.scale * value * moved);
  }
}

template class DataOperator<float>;
template class DataOperator<double>;

}  // namespace dd::odil
