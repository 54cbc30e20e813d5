// Eigen as a peer, behind plain functions: its templates are compiled in one file of their own, with -march=native.
#pragma once

#include <cstddef>

namespace dd::bench::eigen {

template <class T>
void gemm(std::size_t m, std::size_t n, std::size_t k, const T* a, const T* b, T* c);
template <class T>
void syrk(std::size_t n, std::size_t k, const T* a, T* c);
template <class T>
void cholesky(std::size_t n, T* a);
template <class T>
void inverse(std::size_t n, T* l);
template <class T>
void solve(std::size_t n, std::size_t m, const T* l, T* b);

}  // namespace dd::bench::eigen
