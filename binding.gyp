# Only a door to CMake: sources and flags are in CMakeLists.txt alone.
{
  "targets": [
    {
      "target_name": "discrete-descent",
      "type": "none",
      "actions": [
        {
          "action_name": "cmake",
          "inputs": [],
          "outputs": ["<(PRODUCT_DIR)/discrete-descent.node"],
          "action": ["node", "tools/build-native.cjs", "--dest", "<(PRODUCT_DIR)", "--arch", "<(target_arch)"]
        }
      ]
    }
  ]
}
