// Elementary functions in double that use only IEEE basic operations, so that they give the same
// bits on every machine (a C library picks variants by CPU). Accurate to a few 1e-16; written for
// being the reference, not for speed.
#pragma once

namespace lathe::portable {

double exp(double x);
double log(double x);
double tanh(double x);
double erf(double x);
// Arguments up to about 1e6.
double sin(double x);
double cos(double x);
// base^exponent, base > 0.
double pow(double base, double exponent);
// Inverse of the normal distribution's cumulative function (Wichura 1988, algorithm AS 241),
// 0 < p < 1.
double normal_quantile(double p);

}  // namespace lathe::portable
