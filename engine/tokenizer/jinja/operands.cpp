// The innermost levels of the expression parser: literals, calls, subscripts, filters and tests.
#include <algorithm>

#include "engine/tokenizer/jinja/expressions.h"

namespace lathe::jinja {
namespace {

Value text_value(std::string text) {
  return std::make_shared<const std::string>(std::move(text));
}

}  // namespace

ExprId ExpressionParser::parse_primary() {
  const Token token = tokens_.peek();
  if (token.kind == TokenKind::kName) {
    return parse_literal_name();
  }
  if (token.kind == TokenKind::kString) {
    return parse_strings();
  }
  if (token.kind == TokenKind::kInteger) {
    tokens_.take();
    return add({.line = token.line, .literal = token.integer});
  }
  if (tokens_.is_operator("(") || tokens_.is_operator("[")) {
    return parse_parenthesis();
  }
  if (tokens_.is_operator("{")) {
    tokens_.fail(token.line, "the mapping '{...}' as a literal is not known here");
    return 0;
  }
  tokens_.fail_expected("a value");
  return 0;
}

ExprId ExpressionParser::parse_literal_name() {
  const Token token = tokens_.peek();
  if (token.text == "true" || token.text == "True" || token.text == "false" ||
      token.text == "False") {
    tokens_.take();
    return add({.line = token.line, .literal = token.text == "true" || token.text == "True"});
  }
  if (token.text == "none" || token.text == "None") {
    tokens_.take();
    return add({.line = token.line, .literal = None{}});
  }
  return add({.kind = ExprKind::kName, .line = token.line, .name = tokens_.expect_variable()});
}

// Strings side by side are one.
ExprId ExpressionParser::parse_strings() {
  const int line = tokens_.peek().line;
  std::string text;
  while (tokens_.is(TokenKind::kString)) {
    text += tokens_.take().text;
  }
  return add({.line = line, .literal = text_value(std::move(text))});
}

// A list, a tuple or an expression in parentheses.
ExprId ExpressionParser::parse_parenthesis() {
  const Token opener = tokens_.take();
  const bool is_list = opener.text == "[";
  const std::string_view closer = is_list ? "]" : ")";
  Expr expr{.kind = ExprKind::kList, .line = opener.line, .is_tuple = !is_list};
  bool has_comma = false;
  while (!tokens_.is(TokenKind::kEnd) && !tokens_.is_operator(closer)) {
    expr.operands.push_back(parse());
    if (!tokens_.skip_operator(",")) {
      break;
    }
    has_comma = true;
  }
  tokens_.expect_operator(closer);
  const bool one_value = !is_list && !has_comma && expr.operands.size() == 1;
  return one_value ? expr.operands[0] : add(std::move(expr));
}

ExprId ExpressionParser::parse_postfix(ExprId value) {
  for (;;) {
    const int line = tokens_.peek().line;
    if (tokens_.skip_operator(".")) {
      if (!tokens_.is(TokenKind::kName)) {
        tokens_.fail_expected("a name after '.'");
      }
      value = add({.kind = ExprKind::kAttribute,
                   .line = line,
                   .name = tokens_.take().text,
                   .operands = {value}});
    } else if (tokens_.skip_operator("[")) {
      value = parse_subscript(value);
    } else if (tokens_.is_operator("(")) {
      Expr call{.kind = ExprKind::kCall, .line = line, .operands = {value}};
      parse_arguments(call);
      value = add(std::move(call));
    } else {
      return value;
    }
  }
}

// What stands between brackets: a key, or a slice with up to three parts.
ExprId ExpressionParser::parse_subscript(ExprId value) {
  const int line = tokens_.peek().line;
  std::vector<ExprId> parts{value};
  bool is_slice = false;
  for (;;) {
    const bool left_out = tokens_.is_operator(":") || tokens_.is_operator("]");
    parts.push_back(left_out ? kNoExpr : parse());
    if (parts.size() == 4 || !tokens_.skip_operator(":")) {
      break;
    }
    is_slice = true;
  }
  if (!is_slice && parts[1] == kNoExpr) {
    tokens_.fail_expected("a key");
  }
  tokens_.expect_operator("]");
  if (!is_slice) {
    return add_pair(ExprKind::kIndex, line, value, parts[1]);
  }
  parts.resize(4, kNoExpr);
  return add({.kind = ExprKind::kSlice, .line = line, .operands = std::move(parts)});
}

// From "(" to ")".
void ExpressionParser::parse_arguments(Expr& call) {
  tokens_.expect_operator("(");
  while (!tokens_.is(TokenKind::kEnd) && !tokens_.is_operator(")")) {
    const Token& token = tokens_.peek();
    if (tokens_.is_operator("*") || tokens_.is_operator("**")) {
      tokens_.fail(token.line, "arguments given by " + quoted(token.text) + " are not known here");
    }
    const Token& next = tokens_.peek_next();
    if (token.kind == TokenKind::kName && next.kind == TokenKind::kOperator && next.text == "=") {
      call.labels.push_back(tokens_.expect_variable());
      tokens_.expect_operator("=");
    } else if (!call.labels.empty()) {
      tokens_.fail_expected("an argument with a name");
    }
    call.operands.push_back(parse());
    if (!tokens_.skip_operator(",")) {
      break;
    }
  }
  tokens_.expect_operator(")");
}

ExprId ExpressionParser::parse_filters(ExprId value) {
  for (;;) {
    if (tokens_.skip_operator("|")) {
      value = parse_filter(value);
    } else if (tokens_.skip_name("is")) {
      value = parse_test(value);
    } else if (tokens_.is_operator("(")) {  // of what a filter or test gave
      Expr call{.kind = ExprKind::kCall, .line = tokens_.peek().line, .operands = {value}};
      parse_arguments(call);
      value = add(std::move(call));
    } else {
      return value;
    }
  }
}

ExprId ExpressionParser::parse_filter(ExprId value) {
  Expr filter{.kind = ExprKind::kFilter, .line = tokens_.peek().line, .operands = {value}};
  filter.name = tokens_.expect_variable();
  if (tokens_.is_operator("(")) {
    parse_arguments(filter);
  }
  return add(std::move(filter));
}

// A test takes its one argument without parentheses too: `is equalto x`.
ExprId ExpressionParser::parse_test(ExprId value) {
  constexpr std::string_view kAfterwards[] = {"and", "else", "or"};
  const bool negated = tokens_.skip_name("not");
  Expr test{.kind = ExprKind::kTest, .line = tokens_.peek().line, .operands = {value}};
  if (!tokens_.is(TokenKind::kName)) {
    tokens_.fail_expected("a test");
  }
  test.name = tokens_.take().text;
  const Token& next = tokens_.peek();
  const bool is_value =
      next.kind == TokenKind::kString || next.kind == TokenKind::kInteger ||
      tokens_.is_operator("[") || tokens_.is_operator("{") ||
      (next.kind == TokenKind::kName && std::find(std::begin(kAfterwards), std::end(kAfterwards),
                                                  next.text) == std::end(kAfterwards));
  if (tokens_.is_operator("(")) {
    parse_arguments(test);
  } else if (is_value) {
    const ExprId argument = parse_primary();
    test.operands.push_back(parse_postfix(argument));
  }
  const int line = test.line;
  const ExprId found = add(std::move(test));
  return negated ? add({.kind = ExprKind::kNot, .line = line, .operands = {found}}) : found;
}

}  // namespace lathe::jinja
