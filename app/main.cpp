// The one program.
int main() {
  return 0;
}
