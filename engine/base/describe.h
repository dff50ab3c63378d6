// Parameters declared once. A described struct is an aggregate whose member initialisers are the
// defaults and whose static fields() lists name, member and meaning of each; JSON, command line,
// sliders, table columns and the reference pages are made from that one list (params.h, json.h).
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

namespace lathe {

// What a reader, a slider and a validator need to know of one parameter.
struct FieldMeta {
  double lo = -std::numeric_limits<double>::infinity();  // legal range, both ends included
  double hi = std::numeric_limits<double>::infinity();
  bool log = false;         // a slider moves on a logarithmic scale
  bool sweep = false;       // may be an axis of a sweep
  bool structural = false;  // fixed once a run has begun
  bool live = false;        // may be changed while a run trains
  std::string_view unit = "";
  std::string_view help = "";
  std::string_view was = "";  // former name, still read
  bool qualified = false;     // its short name has its section, another one is known by the name
};

template <typename Struct, typename Member>
struct Field {
  std::string_view name;
  Member Struct::*member;
  FieldMeta meta;
};

template <typename Struct, typename Member>
constexpr Field<Struct, Member> field(std::string_view name, Member Struct::*member,
                                      FieldMeta meta = {}) {
  return {name, member, meta};
}

// Specialise for each enum used in a described struct:
//   template <> struct EnumNames<Kind> { static constexpr std::array names{...}; };
// The position of a name is the enumerator's value.
template <typename Enum>
struct EnumNames;

template <typename T>
concept Described = requires {
  T::fields();
};

template <typename T>
concept NamedEnum = std::is_enum_v<T> && requires {
  EnumNames<T>::names.size();
};

namespace detail {

// Convertible to anything: counts how many initialisers an aggregate takes.
struct AnyInit {
  template <typename T>
  constexpr operator T() const;
};

template <typename T, std::size_t... I>
constexpr bool takes(std::index_sequence<I...>) {
  return requires {
    T{(static_cast<void>(I), AnyInit{})...};
  };
}

template <typename T, std::size_t N = 0>
constexpr std::size_t member_count() {
  if constexpr (!takes<T>(std::make_index_sequence<N + 1>{})) {
    return N;
  } else {
    return member_count<T, N + 1>();
  }
}

}  // namespace detail

// True when fields() names every member of T: a forgotten one fails to compile at
// static_assert(complete<T>()).
template <Described T>
constexpr bool complete() {
  return std::tuple_size_v<decltype(T::fields())> == detail::member_count<T>();
}

// Calls visit(field, value) for each field of a described struct, in declaration order.
template <typename T, typename Visit>
constexpr void for_each_field(T& object, Visit&& visit) {
  std::apply([&](const auto&... f) { (visit(f, object.*(f.member)), ...); },
             std::remove_const_t<T>::fields());
}

// The name of an enumerator.
template <NamedEnum Enum>
constexpr std::string_view enum_name(Enum value) {
  return EnumNames<Enum>::names[static_cast<std::size_t>(value)];
}

// The enumerator of a name; nothing for a name that is none.
template <NamedEnum Enum>
constexpr std::optional<Enum> enum_of(std::string_view name) {
  const auto& names = EnumNames<Enum>::names;
  const auto found = std::find(names.begin(), names.end(), name);
  return found == names.end() ? std::optional<Enum>() : static_cast<Enum>(found - names.begin());
}

}  // namespace lathe
